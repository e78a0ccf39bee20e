"""Caches: what attention keeps of the tokens so far."""
