"""Generation: tokens and texts drawn from a model, searched by beams, and scored."""
