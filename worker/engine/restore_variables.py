"""The settings of restores and drills, as rows for the table of `worker.engine.settings`."""

from __future__ import annotations

from typing import Any, Final

from worker.engine import values
from worker.engine.config import DrillConfig, RestoreConfig
from worker.engine.environment import Environment, Variable
from worker.engine.instances.readers import argv

SAFETY_COPY_DAYS: Final = Variable(
    "BACKUP_SAFETY_COPY_DAYS",
    values.whole_number(0, 3650),
    "7",
    "how long the folder that a restore replaced is kept at least",
)
RESTORE_DIR: Final = Variable(
    "BACKUP_RESTORE_DIR",
    values.optional_path,
    "",
    "where restores asked for over the API may make new folders; nowhere when unset",
)
RESTORE_STOP: Final = Variable(
    "BACKUP_RESTORE_STOP_INSTANCES",
    values.optional_flag,
    "",
    "stops the instances for the swap; when unset, whenever there is a driver",
)
RESTORE_SETUID: Final = Variable(
    "BACKUP_RESTORE_SETUID",
    values.flag,
    "false",
    "restores set-user-id and set-group-id bits of files, as root",
)
SAFETY_COPY_UPLOAD: Final = Variable(
    "BACKUP_SAFETY_COPY_UPLOAD",
    values.flag,
    "false",
    "backs up and pins what a restore is to replace, before it does",
)
DRILL_DIR: Final = Variable(
    "BACKUP_DRILL_DIR",
    values.optional_path,
    "",
    "where drills restore to; BACKUP_TEMP_DIR when unset",
)
DRILL_COMMAND: Final = Variable(
    "BACKUP_DRILL_COMMAND", argv, "", "a command of your own that a drill runs in what it restored"
)
DRILL_TIMEOUT: Final = Variable(
    "BACKUP_DRILL_TIMEOUT", values.whole_number(1, 86_400), "300", "seconds for that command"
)

RESTORE_VARIABLES: Final[tuple[Variable[Any], ...]] = (
    SAFETY_COPY_DAYS, RESTORE_DIR, RESTORE_STOP, RESTORE_SETUID,
    SAFETY_COPY_UPLOAD, DRILL_DIR, DRILL_COMMAND, DRILL_TIMEOUT,
)  # fmt: skip


def read_restore(env: Environment, *, may_stop: bool) -> RestoreConfig:
    """`may_stop`: whether backups stop instances, or a driver is set that could."""
    stop = env.get(RESTORE_STOP)
    return RestoreConfig(
        stop_instances=may_stop if stop is None else stop,
        stop_is_chosen=stop is not None,
        upload_copy=env.get(SAFETY_COPY_UPLOAD),
        keep_setuid=env.get(RESTORE_SETUID),
    )


def read_drill(env: Environment) -> DrillConfig:
    folder = env.get(DRILL_DIR)
    return DrillConfig(
        folder=env.base_dir / folder if folder else None,
        command=env.get(DRILL_COMMAND),
        timeout=env.get(DRILL_TIMEOUT),
    )
