"""Tarkeep's settings: the only place that reads its environment variables.

`VARIABLES` is the whole list; reading, the documentation's test and `doctor` go by it.
Nothing here raises for a wrong value: the default stands in and the problem is named, so that
the web part can come up and show all of them together. `require` is what a run calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from worker.engine import values
from worker.engine.config import HOME, PlanConfig, StorageConfig
from worker.engine.environment import Environment, Problem, Variable
from worker.engine.errors import ConfigError
from worker.engine.instances.reading import read_hooks, read_instances
from worker.engine.instances.variables import INSTANCE_VARIABLES
from worker.engine.notify.variables import NOTIFY_VARIABLES, NotifyConfig, read_notify
from worker.engine.restore_variables import (
    RESTORE_DIR,
    RESTORE_VARIABLES,
    SAFETY_COPY_DAYS,
    read_drill,
    read_restore,
)
from worker.engine.reuse.variables import REUSE_VARIABLES, SEGMENT_SIZE, read_reuse
from worker.engine.schedule_variables import (
    CATCHUP_HOURS,
    DRILL_SCHEDULE,
    ENABLED,
    JITTER_MINUTES,
    SCHEDULE,
    SCHEDULE_VARIABLES,
    TIMEZONE,
    VERIFY_SCHEDULE,
)
from worker.engine.storage.variables import NO_BUCKET, STORAGE_VARIABLES, read_storage

__all__ = ["VARIABLES", "Problem", "Settings", "Variable", "read_settings", "require"]

MAX_BACKUPS: Final = Variable(
    "BACKUP_MAX_BACKUPS", values.whole_number(1, 100_000), "3", "how many backups are kept"
)
KEEP_DAILY: Final = Variable(
    "BACKUP_KEEP_DAILY", values.whole_number(0, 10_000), "0", "for how many days one is kept"
)
KEEP_WEEKLY: Final = Variable(
    "BACKUP_KEEP_WEEKLY", values.whole_number(0, 10_000), "0", "for how many weeks one is kept"
)
KEEP_MONTHLY: Final = Variable(
    "BACKUP_KEEP_MONTHLY", values.whole_number(0, 1_000), "0", "for how many months one is kept"
)
KEEP_YEARLY: Final = Variable(
    "BACKUP_KEEP_YEARLY", values.whole_number(0, 100), "0", "for how many years one is kept"
)
STOP_INSTANCES: Final = Variable(
    "BACKUP_STOP_INSTANCES",
    values.flag,
    "false",
    "stops the instances while data is read, and while a restore replaces it",
)
COMPRESSION: Final = Variable(
    "BACKUP_COMPRESSION_LEVEL", values.whole_number(1, 9), "6", "1 is fast, 9 is small"
)
ENCRYPTION_KEY: Final = Variable(
    "BACKUP_ENCRYPTION_KEY",
    values.optional(values.long_secret),
    "",
    "turns AES-256 encryption on; at least 32 characters",
    secret=True,
)
PREVIOUS_KEYS: Final = Variable(
    "BACKUP_ENCRYPTION_KEY_PREVIOUS",
    values.long_secrets,
    "",
    "earlier keys, with commas between, to open old backups",
    secret=True,
)
API_TOKEN: Final = Variable(
    "BACKUP_API_TOKEN",
    values.optional(values.token),
    "",
    "a bearer token with all rights, for scripts; at least 32 characters",
    secret=True,
)
METRICS_TOKEN: Final = Variable(
    "BACKUP_METRICS_TOKEN",
    values.optional(values.token),
    "",
    "a bearer token that reads /metrics and nothing else; at least 32 characters",
    secret=True,
)
LOG_FORMAT: Final = Variable(
    "BACKUP_LOG_FORMAT", values.one_of("text", "json"), "text", "lines of the log: text or json"
)
STALL: Final = Variable(
    "BACKUP_STALL_MINUTES",
    values.number(0.05, 1440),
    "10",
    "after how long without any sign of progress a job is stopped",
)
PORT: Final = Variable("PORT", values.whole_number(1, 65_535), "8000", "the web part's port")
DATA_DIR: Final = Variable("BACKUP_DATA_DIR", values.path, "./data", "the folder to back up")
READ_DIR: Final = Variable(
    "BACKUP_READ_DIR", values.optional_path, "", "a snapshot of that folder, for backups to read"
)
NAME: Final = Variable(
    "BACKUP_NAME", values.backup_name, "whatsapp-data-backup", "how backups' names begin"
)
PREFIX: Final = Variable(
    "BACKUP_PREFIX", values.prefix, "backups/", "the folder in the bucket; / is its top"
)
EXCLUDE: Final = Variable(
    "BACKUP_EXCLUDE", values.patterns, "", "what to leave out: gitignore patterns, commas between"
)
CROSS: Final = Variable(
    "BACKUP_CROSS_FILE_SYSTEMS", values.flag, "false", "enters mounts below the data folder"
)
ON_TROUBLE: Final = Variable(
    "BACKUP_ON_FILE_TROUBLE",
    values.one_of("warn", "fail"),
    "warn",
    "when a file cannot be read whole: warn and go on, or fail",
)
TEMP_DIR: Final = Variable("BACKUP_TEMP_DIR", values.path, "./temp", "for small passing files")
LOGS_PATH: Final = Variable("LOGS_PATH", values.path, "./logs", "the folder of app.log")
HOST: Final = Variable(
    "BACKUP_HOST", values.host, HOME, "this machine's name; to be set on further machines only"
)
MAX_RUNNING: Final = Variable(
    "BACKUP_MAX_RUNNING",
    values.whole_number(0, 1_000),
    "0",
    "how many jobs run at once on all machines together; 0 is no limit",
)
REDIS_URL: Final = Variable(
    "REDIS_URL",
    values.redis_url,
    "redis://127.0.0.1:6379/0",
    "queue and live progress",
    secret=True,
)
DATABASE_URL: Final = Variable(
    "DATABASE_URL",
    values.optional(values.database_url),
    "",
    "jobs and users; SQLite under var/ when unset",
    secret=True,
)
DJANGO_SECRET: Final = Variable(
    "TARKEEP_SECRET_KEY",
    values.optional(values.long_secret),
    "",
    "signs sessions; generated under var/ when unset",
    secret=True,
)
EMBEDDED_S3: Final = Variable(
    "TARKEEP_EMBEDDED_S3", values.flag, "false", "set by `make run`: the bucket is on this machine"
)

VARIABLES: Final[tuple[Variable[Any], ...]] = (
    *SCHEDULE_VARIABLES, MAX_BACKUPS, KEEP_DAILY, KEEP_WEEKLY, KEEP_MONTHLY, KEEP_YEARLY,
    STOP_INSTANCES,
    *STORAGE_VARIABLES,
    COMPRESSION, ENCRYPTION_KEY, PREVIOUS_KEYS,
    API_TOKEN, PORT, DATA_DIR, READ_DIR, NAME, PREFIX, EXCLUDE, CROSS, ON_TROUBLE,
    *REUSE_VARIABLES,
    TEMP_DIR, LOGS_PATH, REDIS_URL, DATABASE_URL, DJANGO_SECRET, EMBEDDED_S3,
    *RESTORE_VARIABLES, *INSTANCE_VARIABLES,
    METRICS_TOKEN, LOG_FORMAT, STALL, *NOTIFY_VARIABLES, HOST, MAX_RUNNING,
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """All settings, checked; where one was wrong its default stands and `problems` names it.

    The schedules of checks are "" when they are off. `host` is the name of this machine,
    `plan.host` that of the machine with the data. `max_running`: 0 is no limit.
    """

    enabled: bool
    schedule: str
    timezone: str
    api_token: str = field(repr=False)
    port: int
    logs_path: Path
    storage: StorageConfig
    plan: PlanConfig
    redis_url: str = field(repr=False)
    database_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    embedded_s3: bool
    problems: tuple[Problem, ...]
    verify_schedule: str = ""
    drill_schedule: str = ""
    notify: NotifyConfig = field(default_factory=NotifyConfig)
    metrics_token: str = field(default="", repr=False)
    log_format: str = "text"
    catchup_hours: int = 24
    jitter_minutes: int = 0
    stall_minutes: float = 10.0
    host: str = HOME
    max_running: int = 0


def read_settings(
    environ: Mapping[str, str] | None = None, *, base_dir: Path | None = None
) -> Settings:
    """All settings, from `environ`, or from the process's environment laid over `.env`.

    Relative paths, and `.env`, belong to `base_dir` (the current folder). Never raises for
    what is set; look at `problems`, or call `require`.
    """
    base = (base_dir or Path.cwd()).absolute()
    env = Environment.of_process(base) if environ is None else Environment(environ, base)
    storage, plan, notify = read_storage(env), _plan(env), read_notify(env)
    database_url = env.get(DATABASE_URL) or f"sqlite:///{quote(str(base))}/var/tarkeep.sqlite3"
    env.refuse_misspelt({name for variable in VARIABLES for name in variable.names})
    return Settings(
        enabled=env.get(ENABLED),
        schedule=env.get(SCHEDULE),
        timezone=plan.timezone,
        api_token=env.get(API_TOKEN),
        port=env.get(PORT),
        logs_path=base / env.get(LOGS_PATH),
        storage=storage,
        plan=plan,
        redis_url=env.get(REDIS_URL),
        database_url=database_url,
        secret_key=env.get(DJANGO_SECRET),
        embedded_s3=env.get(EMBEDDED_S3),
        verify_schedule=env.get(VERIFY_SCHEDULE),
        drill_schedule=env.get(DRILL_SCHEDULE),
        notify=notify,
        metrics_token=env.get(METRICS_TOKEN),
        log_format=env.get(LOG_FORMAT),
        catchup_hours=env.get(CATCHUP_HOURS),
        jitter_minutes=env.get(JITTER_MINUTES),
        stall_minutes=env.get(STALL),
        host=env.get(HOST),
        max_running=env.get(MAX_RUNNING),
        problems=tuple(env.problems),  # the last: each reading may add one
    )


def require(settings: Settings, *, bucket: bool = True) -> None:
    """Raise one `ConfigError` that names every problem, or return when there is none.

    `bucket`: whether problems of the bucket's settings count.
    """
    about_bucket = {variable.name for variable in STORAGE_VARIABLES}
    problems = [one for one in settings.problems if bucket or one.variable not in about_bucket]
    if not problems:
        return
    no_bucket = any(problem.message == NO_BUCKET for problem in problems)
    raise ConfigError(
        "; ".join(problem.message for problem in problems),
        hint=" ".join(dict.fromkeys(problem.hint for problem in problems)),
        code="BUCKET_NOT_CONFIGURED" if no_bucket else None,
    )


def _plan(env: Environment) -> PlanConfig:
    restore_dir, read_dir = env.get(RESTORE_DIR), env.get(READ_DIR)
    stop, instances = env.get(STOP_INSTANCES), read_instances(env)
    return PlanConfig(
        data_dir=env.base_dir / env.get(DATA_DIR),
        read_dir=env.base_dir / read_dir if read_dir else None,
        temp_dir=env.base_dir / env.get(TEMP_DIR),
        name=env.get(NAME),
        prefix=env.get(PREFIX),
        compression_level=env.get(COMPRESSION),
        encryption_key=env.get(ENCRYPTION_KEY) or None,
        previous_keys=env.get(PREVIOUS_KEYS),
        max_backups=env.get(MAX_BACKUPS),
        keep_daily=env.get(KEEP_DAILY),
        keep_weekly=env.get(KEEP_WEEKLY),
        keep_monthly=env.get(KEEP_MONTHLY),
        keep_yearly=env.get(KEEP_YEARLY),
        timezone=env.get(TIMEZONE),
        restore_dir=env.base_dir / restore_dir if restore_dir else None,
        safety_copy_days=env.get(SAFETY_COPY_DAYS),
        stop_instances=stop,
        exclude=env.get(EXCLUDE),
        cross_file_systems=env.get(CROSS),
        strict=env.get(ON_TROUBLE) == "fail",
        reuse=read_reuse(env),
        segment_size=env.get(SEGMENT_SIZE) * 1024 * 1024,
        instances=instances,
        hooks=read_hooks(env),
        drill=read_drill(env),
        restore=read_restore(env, may_stop=stop or bool(instances.drivers)),
    )
