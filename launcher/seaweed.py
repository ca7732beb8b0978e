"""The embedded S3 server: SeaweedFS in one process (`weed mini`), on the loopback interface.

Every port is written out, for each default is one that somebody else may use. Parts nobody
needs (WebDAV, admin screen, IAM, Iceberg, Lance, telemetry) are off. All requests are signed:
S3 with generated keys, and the inner HTTP ports of filer and volumes with tokens, so that
another account on the machine cannot go round the keys.
"""

from __future__ import annotations

import http.client
import json
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from launcher.errors import LaunchError
from launcher.ports import LOOPBACK, free_ports, is_free, take
from launcher.private import private_directory, read_state, write_private, write_state
from launcher.server import Command, ServerProcess, on_other_ports

BUCKET = "tarkeep"
_PORTS = ("s3", "s3.grpc", "master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc")
# `weed mini` looks for its own admin part 10,000 above the admin port, whatever it is told.
_ADMIN_OFFSET = 10_000
_TOKENS = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")


@dataclass(frozen=True)
class RunningS3:
    """An S3 server that answers signed requests. The keys stay out of the repr."""

    endpoint: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    bucket: str
    process: ServerProcess

    def stop(self) -> None:
        self.process.stop()


def start_seaweed(
    directory: Path,
    *,
    port: int | None = None,
    bucket: str = BUCKET,
    log: Path | None = None,
    max_volumes: int = 0,
) -> RunningS3:
    """Start with the keys and ports used before, or new ones; the bucket is created.

    `max_volumes` 0 lets the server use the whole free disk; every bucket takes one volume at
    least. `LaunchError` when the given port is taken or the server does not come up.
    """
    directory = private_directory(directory)

    def start() -> RunningS3:
        state = _state(directory, port)
        argv = [str(_executable()), "-logtostderr=true", "mini"]
        argv += [*_options(directory, state["ports"], bucket), f"-volume.max={max_volumes}"]
        env = _environment(directory, state["tokens"])
        litter = _grpc_sockets(state["ports"])
        command = Command("s3", argv, directory, log or directory / "s3.log", env, litter)
        running = _running(state, bucket, ServerProcess(command))
        _wait(running, state["ports"]["master"])
        return running

    return on_other_ports(start)


def _running(state: dict[str, Any], bucket: str, process: ServerProcess) -> RunningS3:
    endpoint = f"http://{LOOPBACK}:{state['ports']['s3']}"
    return RunningS3(endpoint, state["access_key"], state["secret_key"], bucket, process)


def _executable() -> Path:
    found = Path(sys.executable).with_name("weed")
    if not found.exists():
        raise LaunchError(f"the embedded S3 server is missing ({found}): run `make install`")
    return found


def _state(directory: Path, port: int | None) -> dict[str, Any]:
    path = directory / "state.json"
    state = read_state(path) or _new_state()
    state["ports"] = _choose_ports(state["ports"], port)
    write_state(path, state)
    identity = {
        "name": "tarkeep",
        "credentials": [{"accessKey": state["access_key"], "secretKey": state["secret_key"]}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    write_private(directory / "s3.json", json.dumps({"identities": [identity]}))
    return state


def _new_state() -> dict[str, Any]:
    return {
        "access_key": "TK" + secrets.token_hex(9).upper(),
        "secret_key": secrets.token_urlsafe(30),
        "tokens": {name: secrets.token_urlsafe(32) for name in _TOKENS},
        "ports": {},
    }


def _choose_ports(before: dict[str, int], wanted: int | None) -> dict[str, int]:
    if wanted is not None and not is_free(wanted):
        raise LaunchError(f"the embedded S3 server cannot start: port {wanted} is taken")
    ports = before
    if not ports or not take(ports.values()):
        ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        ports["admin"] = free_ports(1, offset=_ADMIN_OFFSET)[0]
        ports["admin.grpc"] = ports["admin"] + _ADMIN_OFFSET
    return ports if wanted is None else {**ports, "s3": wanted}


def _options(directory: Path, ports: dict[str, int], bucket: str) -> list[str]:
    data, sockets = private_directory(directory / "data"), private_directory(directory / "sockets")
    chosen = {
        "dir": data,
        "admin.dataDir": directory / "admin",
        "ip": LOOPBACK,
        "ip.bind": LOOPBACK,
        "bucket": bucket,
        "s3.config": directory / "s3.json",
        "s3.localSocket": sockets / "s3.sock",
        "filer.localSocket": sockets / "filer.sock",
        "s3.localFilerSocket": sockets / "filer.sock",
        "s3.autoCreateBucket": "false",
        "s3.cacheCapacityMB": 0,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.iam": "false",
        "webdav": "false",
        "admin.ui": "false",
        "master.telemetry": "false",
    }
    return [f"-{name}={value}" for name, value in chosen.items()] + _port_options(ports)


def _port_options(ports: dict[str, int]) -> list[str]:
    names = {name: name.replace(".grpc", "") for name in ports}
    return [
        f"-{part}.port{'.grpc' if name.endswith('.grpc') else ''}={ports[name]}"
        for name, part in names.items()
    ]


def _grpc_sockets(ports: dict[str, int]) -> tuple[Path, ...]:
    """Sockets that `weed` puts into /tmp, whatever TMPDIR says, and does not always remove."""
    grpc = {name.removesuffix(".grpc"): port for name, port in ports.items() if ".grpc" in name}
    names = [f"seaweedfs-{part}-grpc-{port}.sock" for part, port in grpc.items()]
    return tuple(Path("/tmp") / name for name in names)  # noqa: S108


def _environment(directory: Path, tokens: dict[str, str]) -> dict[str, str]:
    """Tokens, a memory goal, and a home without somebody else's `~/.seaweedfs`."""
    keys = {f"WEED_JWT_{name}_KEY": value for name, value in tokens.items()}
    return {**keys, "HOME": str(directory), "GOMEMLIMIT": "384MiB"}


def _wait(running: RunningS3, master: int) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=running.endpoint,
        aws_access_key_id=running.access_key,
        aws_secret_access_key=running.secret_key,
        region_name="us-east-1",
        config=Config(
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            connect_timeout=2,
            read_timeout=5,
        ),
    )
    running.process.wait_ready(
        lambda: _knows_its_volumes(master) and _answers(client, running.bucket), limit=60
    )


def _knows_its_volumes(master: int) -> bool:
    """Whether the part that keeps the objects has told the master of them. It may come seconds
    after everything else, and until then an object that is there cannot be read."""
    connection = http.client.HTTPConnection(LOOPBACK, master, timeout=5)
    try:
        connection.request("GET", "/dir/status")
        status = json.load(connection.getresponse())
        return bool(status["Topology"].get("Max"))
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return False
    finally:
        connection.close()


def _answers(client: Any, bucket: str) -> bool:
    try:
        client.head_bucket(Bucket=bucket)
    except (BotoCoreError, ClientError):
        return False
    return True
