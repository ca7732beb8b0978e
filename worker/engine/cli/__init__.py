"""The `tarkeep` command: works with nothing but the bucket's settings, no Django, no Redis."""

from worker.engine.memory import collect_rarely

collect_rarely()

from worker.engine.cli.main import main  # noqa: E402  all that it needs is imported there

__all__ = ["main"]
