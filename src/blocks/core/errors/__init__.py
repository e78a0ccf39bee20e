"""Error reporting: location, wording, fixes and tracebacks."""
