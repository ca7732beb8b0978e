"""The embedded servers, started for real."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import redis

from launcher.errors import LaunchError
from launcher.seaweed import RunningS3, start_seaweed
from launcher.valkey import start_valkey
from tests.support.s3client import s3_client
from worker.engine.config import StorageConfig


def client_of(server: RunningS3):
    return s3_client(
        StorageConfig(
            bucket=server.bucket,
            access_key=server.access_key,
            secret_key=server.secret_key,
            endpoint=server.endpoint,
        )
    )


def test_valkey_keeps_its_password_port_and_data_over_a_restart(tmp_path: Path):
    first = start_valkey(tmp_path)
    redis.Redis.from_url(first.url).set("kept", "yes")
    first.stop()
    second = start_valkey(tmp_path)
    try:
        assert second.url == first.url
        assert redis.Redis.from_url(second.url).get("kept") == b"yes"
    finally:
        second.stop()


def test_valkey_refuses_a_client_without_the_password(tmp_path: Path):
    server = start_valkey(tmp_path)
    try:
        with pytest.raises(redis.exceptions.AuthenticationError):
            redis.Redis(port=server.port).ping()
    finally:
        server.stop()


def test_a_taken_port_is_named(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LaunchError, match=f"port {port} is taken"):
            start_valkey(tmp_path / "valkey", port=port)
        with pytest.raises(LaunchError, match=f"port {port} is taken"):
            start_seaweed(tmp_path / "s3", port=port)


def test_a_server_whose_old_port_is_taken_moves_and_keeps_its_data(tmp_path: Path):
    first = start_valkey(tmp_path)
    redis.Redis.from_url(first.url).set("kept", "yes")
    first.stop()
    with socket.create_server(("127.0.0.1", first.port)):
        second = start_valkey(tmp_path)
        try:
            assert second.port != first.port
            assert redis.Redis.from_url(second.url).get("kept") == b"yes"
        finally:
            second.stop()


def test_a_server_that_dies_at_once_is_named_with_the_end_of_its_log(tmp_path: Path):
    start_valkey(tmp_path).stop()
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_text("not a manifest\n")
    with pytest.raises(LaunchError, match="valkey stopped with exit code 1") as error:
        start_valkey(tmp_path)
    assert "AOF" in error.value.details


def test_a_killed_server_starts_again_with_its_data(tmp_path: Path):
    server = start_valkey(tmp_path)
    client = redis.Redis.from_url(server.url)
    try:
        client.set("kept", "yes")
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.process.wait()
        server.process.restart()
        server.process.wait_ready(lambda: answers(client), limit=30)
        assert client.get("kept") == b"yes"
    finally:
        server.stop()


def test_the_s3_server_keeps_keys_ports_and_objects_over_a_restart(tmp_path: Path):
    first = start_seaweed(tmp_path)
    client_of(first).put_object(Bucket=first.bucket, Key="kept", Body=b"yes")
    first.stop()
    second = start_seaweed(tmp_path)
    try:
        assert (second.endpoint, second.access_key) == (first.endpoint, first.access_key)
        body = client_of(second).get_object(Bucket=second.bucket, Key="kept")["Body"].read()
        assert body == b"yes"
    finally:
        second.stop()


def test_the_s3_server_refuses_anonymous_requests_on_every_http_port(s3_server: RunningS3):
    client_of(s3_server).put_object(Bucket=s3_server.bucket, Key="private", Body=b"secret")
    filer = inner_port(s3_server, "filer")
    for address in (
        f"{s3_server.endpoint}/",
        f"{s3_server.endpoint}/{s3_server.bucket}/private",
        f"http://127.0.0.1:{filer}/buckets/{s3_server.bucket}/private",
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(address, timeout=10)
        assert refused.value.code in (401, 403)


def test_the_s3_server_listens_on_the_loopback_interface_only(s3_server: RunningS3):
    listening = listeners_of(s3_server.process.pid)
    assert listening
    assert {address for address, _ in listening} == {"127.0.0.1"}
    assert {port for _, port in listening} == set(ports_of(s3_server).values())


def test_what_the_servers_keep_is_closed_to_other_accounts(tmp_path: Path):
    start_valkey(tmp_path / "valkey").stop()
    start_seaweed(tmp_path / "s3").stop()
    for secret in ("valkey/state.json", "valkey/valkey.conf", "s3/state.json", "s3/s3.json"):
        assert stat.S_IMODE((tmp_path / secret).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "s3" / "data").stat().st_mode) == 0o700


def test_no_secret_is_on_a_command_line_or_in_a_log(s3_server: RunningS3):
    shown = " ".join(s3_server.process.command.argv) + s3_server.process.command.log.read_text()
    assert s3_server.secret_key not in shown
    assert s3_server.secret_key not in repr(s3_server)


def answers(client: redis.Redis) -> bool:
    try:
        return client.ping()
    except redis.exceptions.RedisError:
        return False


def ports_of(server: RunningS3) -> dict[str, int]:
    state = json.loads((server.process.command.directory / "state.json").read_text())
    return state["ports"]


def inner_port(server: RunningS3, name: str) -> int:
    return ports_of(server)[name]


def listeners_of(pid: int) -> set[tuple[str, int]]:
    """Addresses and TCP ports the process listens on, from Linux's own tables."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = str(link.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            local, state, inode = (line.split()[i] for i in (1, 3, 9))
            if state == "0A" and inode in inodes:
                address, port = local.split(":")
                found.add((ip_of(address), int(port, 16)))
    return found


def ip_of(hexadecimal: str) -> str:
    if len(hexadecimal) == 8:
        return socket.inet_ntop(socket.AF_INET, bytes.fromhex(hexadecimal)[::-1])
    return hexadecimal
