"""Runs: their folders, records and reports."""
