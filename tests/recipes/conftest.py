"""Fixtures of the recipe's tests."""

from small_runs import corpus, finished, train

__all__ = ["corpus", "finished", "train"]
