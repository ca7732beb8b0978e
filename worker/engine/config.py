"""What the engine is told: where the data lies, where backups go, and how.

Plain values, already checked; `worker.engine.settings` builds them from the environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from worker.engine.instances.config import HookConfig, InstanceConfig


@dataclass(frozen=True)
class StorageConfig:
    """One bucket and how to reach it. With `endpoint` set, addressing is path-style."""

    bucket: str
    region: str = "us-east-1"
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    endpoint: str = ""
    use_instance_role: bool = False


@dataclass(frozen=True)
class PlanConfig:
    """One data folder with its name, prefix, key and retention.

    `prefix` ends with a slash or is empty. `encryption_key` is the passphrase as typed
    (at least 32 characters); None means plain archives. `previous_keys` open old archives.
    `exclude` are gitignore patterns. `strict`: a file that cannot be read whole fails the run.
    """

    plan: str = "default"
    data_dir: Path = Path("data")
    temp_dir: Path = Path("temp")
    name: str = "whatsapp-data-backup"
    prefix: str = "backups/"
    compression_level: int = 6
    encryption_key: str | None = field(default=None, repr=False)
    previous_keys: tuple[str, ...] = field(default=(), repr=False)
    max_backups: int = 3
    stop_instances: bool = False
    exclude: tuple[str, ...] = ()
    cross_file_systems: bool = False
    strict: bool = False
    instances: InstanceConfig = field(default_factory=InstanceConfig)
    hooks: HookConfig = field(default_factory=HookConfig)
    segment_size: int = 4 * 1024 * 1024
