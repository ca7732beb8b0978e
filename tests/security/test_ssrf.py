"""Row 81: no setting, name or answer leads a request of ours to where clouds keep credentials.

No test connects to such an address: 127.0.0.9 is made to count as one.
"""

import socket
import threading
from contextlib import suppress
from ipaddress import ip_address

import pytest

from worker.engine import addresses
from worker.engine.addresses import address_of, is_forbidden
from worker.engine.config import StorageConfig
from worker.engine.errors import InstanceError, StorageError
from worker.engine.instances.web import call_url
from worker.engine.settings import read_settings
from worker.engine.storage.s3 import open_storage
from worker.engine.storage.s3_client import Patience

SPELLED = (
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518",
    "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[fe80::1]", "[fd00:ec2::254]",
    "100.100.100.200", "169.254.170.2", "[ff02::1]",
)  # fmt: skip
NAMED = (
    "BACKUP_S3_ENDPOINT", "BACKUP_INSTANCE_HTTP_STOP_URL", "BACKUP_INSTANCE_HEALTH_URL",
    "BACKUP_INSTANCE_SUPERVISOR_URL", "DOCKER_HOST",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("host", SPELLED)
def test_row_81_no_setting_names_such_an_address_however_it_is_spelled(tmp_path, name, host):
    driver = {"BACKUP_INSTANCE_DRIVER": "docker"} if name == "DOCKER_HOST" else {}
    problems = read_settings({name: f"http://{host}:80", **driver}, base_dir=tmp_path).problems
    told = [one for one in problems if one.variable == name]
    assert len(told) == 1
    assert "link-local" in told[0].message
    assert "credentials" in told[0].hint


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.5", "[::1]", "minio", "s3.example.com", "0"])
def test_private_addresses_and_names_are_taken(tmp_path, host):
    given = dict.fromkeys(NAMED, f"http://{host}:9000")
    wrong = {one.variable for one in read_settings(given, base_dir=tmp_path).problems}
    assert not wrong & set(NAMED)


def test_a_name_is_no_address():
    assert address_of("s3.example.com") is None
    assert address_of("é") is None
    assert not is_forbidden(ip_address("127.0.0.1"))


class Listener:
    """Counts the bytes that come; answers what it is told, or nothing."""

    def __init__(self, host, answer=b""):
        self.answer, self.came, self.opened = answer, b"", 0
        self._socket = socket.create_server((host, 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            self.opened += 1
            with line, suppress(OSError):
                line.settimeout(5)
                self.came += line.recv(65536)
                line.sendall(self.answer)

    def close(self):
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def forbidden(monkeypatch):
    """What listens at an address that counts as a cloud's."""
    monkeypatch.setattr(addresses, "_METADATA", {ip_address("127.0.0.9")})
    listener = Listener("127.0.0.9", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
    yield listener
    listener.close()


@pytest.fixture
def rebinding(monkeypatch, forbidden):
    """A name server of our own: `rebind.test` is a harmless address once, then the other one."""
    real, asked = socket.getaddrinfo, []

    def resolve(host, port, *args, **kwargs):
        if host != "rebind.test":
            return real(host, port, *args, **kwargs)
        asked.append(host)
        return real("127.0.0.9" if len(asked) > 1 else "127.0.0.1", port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def bucket_at(endpoint):
    config = StorageConfig(bucket="b", access_key="a", secret_key="s", endpoint=endpoint)
    return open_storage(config, patience=Patience(attempts=1, seconds=0, connect=2, read=2))


def test_row_81_a_name_that_leads_elsewhere_the_second_time_gets_no_request(forbidden, rebinding):
    storage = bucket_at(f"http://rebind.test:{forbidden.port}")
    for _ in range(2):  # nothing listens on that port of the first address
        with pytest.raises(StorageError) as refused:
            storage.check("backups/")
        assert refused.value.code == "STORAGE_UNREACHABLE"
    with pytest.raises(InstanceError, match="link-local"):
        call_url("GET", f"http://rebind.test:{forbidden.port}/stop", timeout=5)
    assert len(rebinding) >= 3
    forbidden.close()
    assert forbidden.came == b""


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_row_81_no_redirect_is_followed(forbidden, status):
    there = f"http://127.0.0.9:{forbidden.port}/latest/meta-data"
    head = f"HTTP/1.1 {status} Moved\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n"
    leading = Listener("127.0.0.1", head.encode())
    try:
        answer = call_url("POST", f"http://127.0.0.1:{leading.port}/stop", timeout=5)
        assert (answer.status, answer.body) == (status, b"")
        with pytest.raises(StorageError):
            bucket_at(f"http://127.0.0.1:{leading.port}").check("backups/")
        assert leading.opened == 2  # and no more: botocore would ask again for a region
    finally:
        leading.close()
    forbidden.close()
    assert forbidden.opened == 0
