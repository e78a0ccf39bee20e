"""What is inside a model: hidden states, attention weights, and what its parts cost."""
