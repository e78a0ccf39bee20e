"""Norms: functions of one token's features that keep activations in range."""
