"""The settings of the bucket."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from worker.engine import values
from worker.engine.config import StorageConfig
from worker.engine.environment import Environment, Variable

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
ADDRESSING: Final = Variable(
    "BACKUP_S3_ADDRESSING",
    values.one_of("auto", "path", "virtual"),
    "auto",
    "where the bucket's name stands in addresses",
)
CA_BUNDLE: Final = Variable(
    "BACKUP_S3_CA_BUNDLE", values.optional_path, "", "certificates of your own authority, as PEM"
)
STORAGE_CLASS: Final = Variable(
    "BACKUP_S3_STORAGE_CLASS", values.optional(values.storage_class), "", "for archives and indexes"
)
SSE: Final = Variable(
    "BACKUP_S3_SSE", values.server_encryption, "none", "encryption by the server, besides ours"
)
OBJECT_LOCK: Final = Variable(
    "BACKUP_S3_OBJECT_LOCK_DAYS",
    values.whole_number(0, 36_500),
    "0",
    "for how many days nobody can delete what was written",
)
UPLOAD_LIMIT: Final = Variable(
    "BACKUP_UPLOAD_LIMIT", values.rate, "0", "bytes a second for uploads, as in 2M; 0 is no limit"
)

STORAGE_VARIABLES: Final[tuple[Variable[Any], ...]] = (
    BUCKET, REGION, ACCESS_KEY, SECRET_KEY, ENDPOINT, INSTANCE_ROLE,
    ADDRESSING, CA_BUNDLE, STORAGE_CLASS, SSE, OBJECT_LOCK, UPLOAD_LIMIT,
)  # fmt: skip

NO_BUCKET: Final = "BACKUP_S3_BUCKET is not configured"


def read_storage(env: Environment) -> StorageConfig:
    """The bucket as it is set; what is wrong is complained of to `env`."""
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
        addressing=env.get(ADDRESSING),
        ca_bundle=_ca_bundle(env),
        storage_class=env.get(STORAGE_CLASS),
        sse=env.get(SSE),
        object_lock_days=env.get(OBJECT_LOCK),
        upload_limit=env.get(UPLOAD_LIMIT),
    )


def _ca_bundle(env: Environment) -> Path | None:
    """The file, which has to be there: without it no request would get through."""
    given = env.get(CA_BUNDLE)
    if given is None:
        return None
    file = env.base_dir / given
    if not file.is_file() or not os.access(file, os.R_OK):
        message = f"{CA_BUNDLE.name} names no file that can be read"
        env.complain(CA_BUNDLE.name, message, "Give the path of a PEM file.")
    return file


def _need(env: Environment, variable: Variable[str], hint: str) -> None:
    if not env.is_set(variable):
        env.complain(variable.name, f"{variable.name} is not configured", hint)
