"""Introspection: hidden states, attention weights, and costs of a model's parts."""
