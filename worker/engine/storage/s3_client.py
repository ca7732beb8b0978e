"""The boto3 client, tuned for large uploads to any S3-compatible server.

- Checksums only where S3 requires them: many servers fail on the trailers that botocore
  sends by default. Instead every body carries Content-MD5, which all servers check, or CRC-32
  where the server has shown that it does (`guards.py`).
- The payload is not hashed a second time for the signature: either is a signed header, so a body
  that was damaged on the way is refused all the same.
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
from worker.engine.storage.s3_line import look_at_lines

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_SECONDS = 10
READ_SECONDS = 60
SPARE_CONNECTIONS = 10  # besides the parts: copies, chains of joined pieces, HEAD, list, abort
REDIRECTS = (301, 302, 307, 308)
_making = threading.Lock()


@dataclass(frozen=True)
class Patience:
    """How long trouble is borne with.

    `attempts`: how often botocore sends one request. `seconds`: for how long we ask again
    after that, for parts and broken downloads; 0 is not at all. `connect` and `read`: seconds
    of silence after which one request is given up.
    """

    attempts: int = 5
    seconds: float = 300.0
    connect: float = CONNECT_SECONDS
    read: float = READ_SECONDS


def make_client(
    config: StorageConfig,
    *,
    concurrency: int,
    patience: Patience,
    default_checksums: bool = False,
) -> S3Client:
    """A client that may be used from `concurrency` threads at once.

    `default_checksums`: send checksums as the SDK likes to, to see whether a server bears it.

    `StorageError` (STORAGE_CREDENTIALS) when there are no keys and no instance role is meant.
    """
    explicit = bool(config.access_key and config.secret_key)
    if not explicit and not config.use_instance_role:
        raise no_credentials()
    # Clients may be shared by threads, making them may not.
    with translated(config), _making:
        session = _isolated_session() if explicit else boto3.Session()
        client = session.client(
            "s3",
            region_name=config.region,
            endpoint_url=config.endpoint or None,
            aws_access_key_id=config.access_key or None,
            aws_secret_access_key=config.secret_key or None,
            # True and not None: the latter would let AWS_CA_BUNDLE have a say.
            verify=str(config.ca_bundle) if config.ca_bundle else True,
            config=_tuning(config, concurrency, patience, default_checksums=default_checksums),
        )
        client.meta.events.register_last("before-call.s3", _ask_for_no_leave)
        client.meta.events.register_first("needs-retry.s3", _follow_only_to_regions)
        look_at_lines(client)
        return client


def _ask_for_no_leave(params: dict[str, Any], **_: Any) -> None:
    """Bodies go at once: botocore would ask for leave first (Expect: 100-continue) and wait for
    a round trip with each part, or for a second where a server does not answer that."""
    params["headers"].pop("Expect", None)


def _follow_only_to_regions(
    request_dict: dict[str, Any], response: tuple[Any, dict[str, Any]] | None, **_: Any
) -> None:
    """A redirect that names no region is an answer like any other.

    botocore would ask with HEAD for the bucket's region; where that is redirected too it would
    ask again and again, until Python's stack is full.
    """
    if response is None or response[0].status_code not in REDIRECTS:
        return
    headers = response[1]["ResponseMetadata"]["HTTPHeaders"]
    if "x-amz-bucket-region" not in headers and "Region" not in response[1].get("Error", {}):
        request_dict["context"].get("s3_redirect", {})["redirected"] = True


@cache
def _isolated_session() -> boto3.Session:
    """A session that does not look at AWS_PROFILE and at the files under ~/.aws.

    Kept, because reading S3's service model is what makes a client slow to make.
    """
    nothing = (None, None, os.devnull, None)
    files = {"config_file": nothing, "credentials_file": nothing}
    core = botocore.session.Session(session_vars={**files, "profile": (None, None, None, None)})
    return boto3.Session(botocore_session=core)


def _tuning(
    config: StorageConfig, concurrency: int, patience: Patience, *, default_checksums: bool
) -> Config:
    when = "when_supported" if default_checksums else "when_required"
    options: dict[str, Any] = {
        "connect_timeout": patience.connect,
        "read_timeout": patience.read,
        "tcp_keepalive": True,
        "max_pool_connections": concurrency + SPARE_CONNECTIONS,
        "retries": {"mode": "standard", "total_max_attempts": patience.attempts},
        "request_checksum_calculation": when,
        "response_checksum_validation": "when_required",
        "ignore_configured_endpoint_urls": True,
        "s3": {
            "addressing_style": _addressing(config),
            "payload_signing_enabled": False,
        },
    }
    return Config(**options)


def _addressing(config: StorageConfig) -> str:
    return "path" if config.addressing == "auto" and config.endpoint else config.addressing
