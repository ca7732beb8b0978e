"""`python -m worker.engine.cli`: the same as `tarkeep`, where that is not installed."""

from worker.engine.cli import command

command()
