"""Heads: from a model's last vectors to logits, classes or values."""
