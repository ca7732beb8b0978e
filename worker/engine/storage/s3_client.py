"""The boto3 client, tuned for large uploads to any S3-compatible server.

- Checksums only where S3 requires them: many servers fail on the trailers that botocore
  sends by default. Instead every body carries Content-MD5, which all servers check.
- The payload is not hashed a second time for the signature: Content-MD5 is a signed header,
  so a body changed on the way is refused all the same.
- Credentials come from our settings. Nothing of the machine's AWS set-up (environment,
  profiles, endpoints) has a say unless `use_instance_role` asks for it.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config

from worker.engine.config import StorageConfig
from worker.engine.storage.s3_errors import no_credentials, translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_SECONDS = 10
READ_SECONDS = 60
SPARE_CONNECTIONS = 4  # for the requests besides the parts: HEAD, list, abort
_making = threading.Lock()


@dataclass(frozen=True)
class Patience:
    """How long trouble is borne with.

    `attempts`: how often botocore sends one request. `seconds`: for how long we ask again
    after that, for parts and broken downloads; 0 is not at all.
    """

    attempts: int = 5
    seconds: float = 300.0


def make_client(config: StorageConfig, *, concurrency: int, patience: Patience) -> S3Client:
    """A client that may be used from `concurrency` threads at once.

    `StorageError` (STORAGE_CREDENTIALS) when there are no keys and no instance role is meant.
    """
    explicit = bool(config.access_key and config.secret_key)
    if not explicit and not config.use_instance_role:
        raise no_credentials()
    # Clients may be shared by threads, making them may not.
    with translated(config), _making:
        session = _isolated_session() if explicit else boto3.Session()
        return session.client(
            "s3",
            region_name=config.region,
            endpoint_url=config.endpoint or None,
            aws_access_key_id=config.access_key or None,
            aws_secret_access_key=config.secret_key or None,
            config=_tuning(config, concurrency, patience),
        )


@cache
def _isolated_session() -> boto3.Session:
    """A session that does not look at AWS_PROFILE and at the files under ~/.aws.

    Kept, because reading S3's service model is what makes a client slow to make.
    """
    nothing = (None, None, os.devnull, None)
    files = {"config_file": nothing, "credentials_file": nothing}
    core = botocore.session.Session(session_vars={**files, "profile": (None, None, None, None)})
    return boto3.Session(botocore_session=core)


def _tuning(config: StorageConfig, concurrency: int, patience: Patience) -> Config:
    options: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        "tcp_keepalive": True,
        "max_pool_connections": concurrency + SPARE_CONNECTIONS,
        "retries": {"mode": "standard", "total_max_attempts": patience.attempts},
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "ignore_configured_endpoint_urls": True,
        "s3": {
            "addressing_style": "path" if config.endpoint else "auto",
            "payload_signing_enabled": False,
        },
    }
    return Config(**options)
