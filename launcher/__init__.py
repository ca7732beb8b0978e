"""Starts a whole Tarkeep in the foreground: `python -m launcher`, which is `make run`."""
