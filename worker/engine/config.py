"""What the engine is told: where the data lies, where backups go, and how.

Plain values, already checked; `worker.engine.settings` builds them from the environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from worker.engine.instances.config import Argv, HookConfig, InstanceConfig

DEFAULT_PLAN: Final = "default"
HOME: Final = "main"  # the machine that has the web part, the schedule and the default plan


@dataclass(frozen=True)
class StorageConfig:
    """One bucket, how to reach it and how to write to it.

    `addressing`: auto (by path where `endpoint` is set), path or virtual. `ca_bundle`: a PEM
    file instead of the known authorities. `storage_class` is for archives and indexes.
    `sse`: empty, AES256, aws:kms or aws:kms:KEY. `object_lock_days`: how long what is written
    cannot be deleted for good. `upload_limit`: bytes a second. 0 and empty are none.
    """

    bucket: str
    region: str = "us-east-1"
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    endpoint: str = ""
    use_instance_role: bool = False
    addressing: str = "auto"
    ca_bundle: Path | None = None
    storage_class: str = ""
    sse: str = ""
    object_lock_days: int = 0
    upload_limit: int = 0


@dataclass(frozen=True)
class DrillConfig:
    """Where drills restore to (None: the temporary folder), and the user's own check there:
    an argument list, and how many seconds it may take."""

    folder: Path | None = None
    command: Argv = ()
    timeout: float = 300


@dataclass(frozen=True)
class RestoreConfig:
    """How a restore or an undo treats the application and what it replaces.

    `stop_instances` for the moment of the swap; `stop_is_chosen`: somebody said so, rather than
    that a driver is set. `upload_copy`: what is replaced is backed up first. `keep_setuid`:
    set-user-id and set-group-id bits of files come back (as root only).
    """

    stop_instances: bool = False
    stop_is_chosen: bool = False
    upload_copy: bool = False
    keep_setuid: bool = False


@dataclass(frozen=True)
class ReuseConfig:
    """What a backup may take over from the last one.

    `full_every`: how many backups in a row build on each other; 1 for none. `deep_every`: in
    every so many of them all files are read and compared; 0 for none. `joins`: short stretches
    are copied by way of temporary objects. `skips`: when nothing changed, nothing is stored, and
    the last backup stands for the run. `least_copy`: bytes that a part must have at least.
    `settled`: nanoseconds that a file must have been left alone before it was read, so that its
    times tell any later change.
    """

    full_every: int = 30
    deep_every: int = 7
    joins: bool = True
    skips: bool = False
    least_copy: int = 5 * 1024 * 1024
    settled: int = 10_000_000_000

    @property
    def worth(self) -> int:
        """Bytes; a shorter stretch is packed again."""
        return self.least_copy // 10


@dataclass(frozen=True)
class PlanConfig:
    """One data folder with its name, prefix, key and retention. `host`: the machine that has it.

    `prefix` ends with a slash or is empty. `encryption_key` is the passphrase as typed
    (at least 32 characters); None means plain archives. `previous_keys` open old archives.
    `read_dir`: where backups find what is in `data_dir`, if not there: a snapshot of it.
    `restore_dir`: where restores asked for over the API may make new folders.
    `safety_copy_days`: how long what a restore replaced is kept at least.
    `most_deleted`: so many old backups go at once without a person's word. `exclude` are
    gitignore patterns. Days, weeks, months and years of `keep_…` are those of
    `timezone`. `strict`: a file that cannot be read whole fails the run.
    """

    plan: str = DEFAULT_PLAN
    host: str = HOME
    data_dir: Path = Path("data")
    read_dir: Path | None = None
    temp_dir: Path = Path("temp")
    name: str = "whatsapp-data-backup"
    prefix: str = "backups/"
    compression_level: int = 6
    encryption_key: str | None = field(default=None, repr=False)
    previous_keys: tuple[str, ...] = field(default=(), repr=False)
    max_backups: int = 3
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0
    most_deleted: int = 5
    timezone: str = "UTC"
    restore_dir: Path | None = None
    safety_copy_days: int = 7
    stop_instances: bool = False
    exclude: tuple[str, ...] = ()
    cross_file_systems: bool = False
    strict: bool = False
    instances: InstanceConfig = field(default_factory=InstanceConfig)
    hooks: HookConfig = field(default_factory=HookConfig)
    drill: DrillConfig = field(default_factory=DrillConfig)
    restore: RestoreConfig = field(default_factory=RestoreConfig)
    reuse: ReuseConfig = field(default_factory=ReuseConfig)
    segment_size: int = 4 * 1024 * 1024
