"""The `tarkeep` command: works with nothing but the bucket's settings, no Django, no Redis."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from worker.engine.memory import collect_rarely


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. `main.py` has all of it."""
    collect_rarely()
    from worker.engine.cli import early_key

    early_key.begin(list(sys.argv[1:] if argv is None else argv))
    from worker.engine.cli.main import main as run

    return run(argv)


__all__ = ["main"]
