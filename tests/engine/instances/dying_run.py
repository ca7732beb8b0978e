"""Run as a program that may die at any point: `python -m tests.engine.instances.dying_run FOLDER`.

Stops the instances that the environment names, holds them for a while as a capture would, and
starts them. What it writes down goes into FOLDER/effects, as durably as into a database. With
TARKEEP_CRASH_AT it dies where that says.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from worker.engine.environment import Environment
from worker.engine.instances.drivers import open_drivers
from worker.engine.instances.reading import read_instances
from worker.engine.instances.stopping import stop_instances
from worker.engine.progress import Progress


class WrittenDown(Progress):
    """Effects in a file, one a line."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def record(self, effect: str, **details: Any) -> None:
        with self.file.open("a") as stream:
            print(json.dumps({"effect": effect, **details}), file=stream, flush=True)
            os.fsync(stream.fileno())


def read_effects(file: Path) -> list[dict[str, Any]]:
    """Whole lines only: the last one may have been cut off by the death of its writer."""
    text = file.read_text() if file.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def main(folder: Path) -> None:
    config = read_instances(Environment(os.environ, folder))
    progress = WrittenDown(folder / "effects")
    with stop_instances(open_drivers(config), progress, config.policy):
        time.sleep(0.5)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
