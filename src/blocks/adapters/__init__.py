"""Adapters: small learned changes to a model that has weights already."""
