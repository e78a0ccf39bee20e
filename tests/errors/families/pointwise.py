"""Mistakes in MLPs, linear maps and norms."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

CASES = ()
