"""`var/bucket.env`: how to reach the embedded bucket, for the shell.

`set -a; . var/bucket.env; set +a`, and `tarkeep` and `aws s3` work on it; `make run`
in such a shell still starts the embedded server. Written anew at every start, readable by its
owner alone.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from launcher.private import write_private
from launcher.seaweed import RunningS3

NAME = "bucket.env"


def write_bucket_env(var: Path, server: RunningS3) -> Path:
    values = {
        "BACKUP_S3_BUCKET": server.bucket,
        "BACKUP_S3_ENDPOINT": server.endpoint,
        "BACKUP_S3_ACCESS_KEY": server.access_key,
        "BACKUP_S3_SECRET_KEY": server.secret_key,
        "TARKEEP_EMBEDDED_S3": "true",
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in values.items()]
    path = var / NAME
    write_private(path, "".join(lines))
    return path
