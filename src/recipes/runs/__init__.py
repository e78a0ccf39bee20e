"""Runs: the folder of one, what is recorded in it, and what it reports."""
