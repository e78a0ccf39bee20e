"""Adapters: small learned changes to a pretrained model."""
