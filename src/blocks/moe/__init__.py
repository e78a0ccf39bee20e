"""Mixtures of experts: every token goes through a few of many MLPs."""
