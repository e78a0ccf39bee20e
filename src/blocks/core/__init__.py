"""The core: base class of blocks, typed axes, checks, errors, and model surgery."""
