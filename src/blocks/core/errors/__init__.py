"""How the library reports mistakes: where, in which words, with which fix, and where it ends."""
