"""Generation of text: sampling of tokens from a model."""
