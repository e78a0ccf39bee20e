"""MLPs and their activations."""
