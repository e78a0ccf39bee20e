"""Heads: from a model's last vectors to what it is asked for."""
