"""The `tarkeep` command: works with nothing but the bucket's settings, no Django, no Redis."""

from worker.engine.cli.main import main

__all__ = ["main"]
