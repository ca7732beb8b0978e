"""The settings of what a backup takes over from the last one."""

from __future__ import annotations

from typing import Any, Final

from worker.engine import values
from worker.engine.config import ReuseConfig
from worker.engine.environment import Environment, Variable

FULL_EVERY: Final = Variable(
    "BACKUP_FULL_EVERY",
    values.whole_number(1, 1_000),
    "30",
    "how many backups build on each other before all is packed anew; 1 is always",
)
DEEP_EVERY: Final = Variable(
    "BACKUP_DEEP_EVERY",
    values.whole_number(0, 1_000),
    "7",
    "in every so many of these all files are read and compared by content; 0 is never",
)
TEMPORARY_OBJECTS: Final = Variable(
    "BACKUP_TEMPORARY_OBJECTS",
    values.flag,
    "true",
    "short stretches are copied by way of objects that are there for moments",
)
SEGMENT_SIZE: Final = Variable(
    "BACKUP_SEGMENT_SIZE",
    values.whole_number(1, 16),
    "4",
    "MiB of a large file that are packed, copied and fetched together",
)
WHEN_UNCHANGED: Final = Variable(
    "BACKUP_WHEN_UNCHANGED",
    values.one_of("copy", "skip"),
    "copy",
    "where nothing changed since the last backup: copy stores another one, skip none",
)
REUSE_VARIABLES: Final[tuple[Variable[Any], ...]] = (
    FULL_EVERY, DEEP_EVERY, TEMPORARY_OBJECTS, SEGMENT_SIZE, WHEN_UNCHANGED,
)  # fmt: skip


def read_reuse(env: Environment) -> ReuseConfig:
    return ReuseConfig(
        full_every=env.get(FULL_EVERY),
        deep_every=env.get(DEEP_EVERY),
        joins=env.get(TEMPORARY_OBJECTS),
        skips=env.get(WHEN_UNCHANGED) == "skip",
    )
