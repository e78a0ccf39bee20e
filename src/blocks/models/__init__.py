"""Models: containers of the blocks."""
