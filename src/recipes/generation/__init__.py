"""Generation: how tokens are drawn from a model, and texts from tokens."""
