"""The command line of the nanogpt recipe: a file per command, and the parser."""

from recipes.commands.line import main

__all__ = ["main"]
