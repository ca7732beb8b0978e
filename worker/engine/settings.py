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
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.environment import Environment, Problem, Variable
from worker.engine.errors import ConfigError
from worker.engine.instances.reading import read_hooks, read_instances
from worker.engine.instances.variables import INSTANCE_VARIABLES

__all__ = ["VARIABLES", "Problem", "Settings", "Variable", "read_settings", "require"]

ENABLED: Final = Variable("BACKUP_ENABLED", values.flag, "false", "turns the schedule on")
SCHEDULE: Final = Variable("BACKUP_SCHEDULE", values.cron_line, "0 2 * * *", "when, as a cron line")
TIMEZONE: Final = Variable(
    "BACKUP_TIMEZONE", values.time_zone, "America/Sao_Paulo", "the schedule's time zone"
)
MAX_BACKUPS: Final = Variable(
    "BACKUP_MAX_BACKUPS", values.whole_number(1, 100_000), "3", "how many backups are kept"
)
STOP_INSTANCES: Final = Variable(
    "BACKUP_STOP_INSTANCES", values.flag, "false", "stops the instances while data is read"
)
BUCKET: Final = Variable(
    "BACKUP_S3_BUCKET", values.optional(values.bucket), "", "the bucket; required"
)
REGION: Final = Variable("BACKUP_S3_REGION", values.region, "us-east-1", "the bucket's region")
ACCESS_KEY: Final = Variable(
    "BACKUP_S3_ACCESS_KEY",
    values.optional(values.access_secret),
    "",
    "the access key; required",
    secret=True,
)
SECRET_KEY: Final = Variable(
    "BACKUP_S3_SECRET_KEY",
    values.optional(values.access_secret),
    "",
    "the secret key; required",
    secret=True,
)
ENDPOINT: Final = Variable(
    "BACKUP_S3_ENDPOINT",
    values.optional(values.endpoint),
    "",
    "address of a server other than AWS; path-style addressing when set",
)
INSTANCE_ROLE: Final = Variable(
    "BACKUP_S3_USE_INSTANCE_ROLE",
    values.flag,
    "false",
    "lets boto3 find credentials by itself when no keys are set",
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
PORT: Final = Variable("PORT", values.whole_number(1, 65_535), "8000", "the web part's port")
DATA_DIR: Final = Variable("BACKUP_DATA_DIR", values.path, "./data", "the folder to back up")
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
    ENABLED, SCHEDULE, TIMEZONE, MAX_BACKUPS, STOP_INSTANCES,
    BUCKET, REGION, ACCESS_KEY, SECRET_KEY, ENDPOINT, INSTANCE_ROLE,
    COMPRESSION, ENCRYPTION_KEY, PREVIOUS_KEYS,
    API_TOKEN, PORT, DATA_DIR, NAME, PREFIX, EXCLUDE, CROSS, ON_TROUBLE, TEMP_DIR, LOGS_PATH,
    REDIS_URL, DATABASE_URL, DJANGO_SECRET, EMBEDDED_S3, *INSTANCE_VARIABLES,
)  # fmt: skip

NO_BUCKET: Final = "BACKUP_S3_BUCKET is not configured"


@dataclass(frozen=True)
class Settings:
    """All settings, checked; where one was wrong its default stands and `problems` names it."""

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


def read_settings(
    environ: Mapping[str, str] | None = None, *, base_dir: Path | None = None
) -> Settings:
    """All settings, from `environ`, or from the process's environment laid over `.env`.

    Relative paths, and `.env`, belong to `base_dir` (the current folder). Never raises for
    what is set; look at `problems`, or call `require`.
    """
    base = (base_dir or Path.cwd()).absolute()
    env = Environment.of_process(base) if environ is None else Environment(environ, base)
    storage, plan = _storage(env), _plan(env)
    database_url = env.get(DATABASE_URL) or f"sqlite:///{quote(str(base))}/var/tarkeep.sqlite3"
    env.refuse_misspelt({name for variable in VARIABLES for name in variable.names})
    return Settings(
        enabled=env.get(ENABLED),
        schedule=env.get(SCHEDULE),
        timezone=env.get(TIMEZONE),
        api_token=env.get(API_TOKEN),
        port=env.get(PORT),
        logs_path=base / env.get(LOGS_PATH),
        storage=storage,
        plan=plan,
        redis_url=env.get(REDIS_URL),
        database_url=database_url,
        secret_key=env.get(DJANGO_SECRET),
        embedded_s3=env.get(EMBEDDED_S3),
        problems=tuple(env.problems),
    )


def require(settings: Settings) -> None:
    """Raise one `ConfigError` that names every problem, or return when there is none."""
    problems = settings.problems
    if not problems:
        return
    no_bucket = any(problem.message == NO_BUCKET for problem in problems)
    raise ConfigError(
        "; ".join(problem.message for problem in problems),
        hint=" ".join(dict.fromkeys(problem.hint for problem in problems)),
        code="BUCKET_NOT_CONFIGURED" if no_bucket else None,
    )


def _storage(env: Environment) -> StorageConfig:
    use_role = env.get(INSTANCE_ROLE)
    _need(env, BUCKET, "Set it to the name of the bucket that backups go to.")
    if not use_role or env.is_set(ACCESS_KEY) or env.is_set(SECRET_KEY):
        for key in (ACCESS_KEY, SECRET_KEY):
            _need(env, key, "Set both keys, or BACKUP_S3_USE_INSTANCE_ROLE=true on AWS.")
    return StorageConfig(
        bucket=env.get(BUCKET),
        region=env.get(REGION),
        access_key=env.get(ACCESS_KEY),
        secret_key=env.get(SECRET_KEY),
        endpoint=env.get(ENDPOINT),
        use_instance_role=use_role,
    )


def _plan(env: Environment) -> PlanConfig:
    return PlanConfig(
        data_dir=env.base_dir / env.get(DATA_DIR),
        temp_dir=env.base_dir / env.get(TEMP_DIR),
        name=env.get(NAME),
        prefix=env.get(PREFIX),
        compression_level=env.get(COMPRESSION),
        encryption_key=env.get(ENCRYPTION_KEY) or None,
        previous_keys=env.get(PREVIOUS_KEYS),
        max_backups=env.get(MAX_BACKUPS),
        stop_instances=env.get(STOP_INSTANCES),
        exclude=env.get(EXCLUDE),
        cross_file_systems=env.get(CROSS),
        strict=env.get(ON_TROUBLE) == "fail",
        instances=read_instances(env),
        hooks=read_hooks(env),
    )


def _need(env: Environment, variable: Variable[str], hint: str) -> None:
    if not env.is_set(variable):
        env.complain(variable.name, f"{variable.name} is not configured", hint)
