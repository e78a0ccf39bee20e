"""Fixtures of the recipe's tests."""

from small_runs import again, corpus, finished, train, whole

__all__ = ["again", "corpus", "finished", "train", "whole"]
