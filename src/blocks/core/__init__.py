"""How a block works: its base, typed axes, checks, errors, and changes of a model."""
