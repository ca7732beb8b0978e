"""One request: over TCP and unix sockets, and never longer than its time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from worker.engine.errors import InstanceError
from worker.engine.instances.web import call, call_url


class Listener:
    """Answers each connection with what `speak` does to it."""

    def __init__(self, server: socket.socket, speak: Callable[[socket.socket], None]) -> None:
        self.server, self.speak = server, speak
        self.asked = b""
        threading.Thread(target=self.work, daemon=True).start()

    def work(self) -> None:
        while True:
            try:
                line, _ = self.server.accept()
            except OSError:
                return
            with line:
                self.asked = line.recv(65536)
                try:
                    self.speak(line)
                except OSError:
                    continue


@pytest.fixture
def listen(tmp_path: Path) -> Iterator[Callable[[Callable[[socket.socket], None]], Listener]]:
    made: list[socket.socket] = []

    def start(speak: Callable[[socket.socket], None], *, unix: bool = False) -> Listener:
        server = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        server.bind(str(tmp_path / "s.sock") if unix else ("127.0.0.1", 0))
        server.listen()
        made.append(server)
        return Listener(server, speak)

    yield start
    for server in made:
        server.close()


def address(listener: Listener) -> str:
    return f"http://127.0.0.1:{listener.server.getsockname()[1]}"


def say(text: bytes) -> Callable[[socket.socket], None]:
    return lambda line: line.sendall(text)


def drip(head: bytes) -> Callable[[socket.socket], None]:
    """A byte now and then: a socket's own timeout would never run out."""

    def speak(line: socket.socket) -> None:
        line.sendall(head)
        for _ in range(600):
            line.sendall(b"x")
            time.sleep(0.1)

    return speak


def test_an_answer_comes_with_its_status_headers_and_body(listen):
    server = listen(say(b"HTTP/1.1 202 OK\r\nApi-Version: 1.44\r\nContent-Length: 2\r\n\r\nhi"))
    answer = call_url("POST", f"{address(server)}/a/b?c=d", timeout=10, headers={"X-A": "1"})
    assert (answer.status, answer.headers["Api-Version"], answer.body) == (202, "1.44", b"hi")
    assert server.asked.startswith(b"POST /a/b?c=d HTTP/1.1\r\n")
    assert b"X-A: 1\r\n" in server.asked
    assert b"Content-Length: 0\r\n" in server.asked


def test_a_unix_socket_answers_as_well(listen, tmp_path: Path):
    listen(say(b"HTTP/1.1 204 No Content\r\n\r\n"), unix=True)
    assert call("GET", f"unix://{tmp_path}/s.sock", "/", timeout=10).status == 204


@pytest.mark.parametrize(
    "speak",
    [
        lambda line: time.sleep(60),
        drip(b""),
        drip(b"HTTP/1.1 200 OK\r\nX-A: "),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
    ],
    ids=["silence", "drip", "drip-in-header", "drip-in-body", "drip-without-length"],
)
def test_an_answer_that_takes_too_long_is_given_up(listen, speak):
    server = listen(speak)
    with pytest.raises(InstanceError, match="did not answer within 1 seconds"):
        call_url("GET", f"{address(server)}/", timeout=1)


@pytest.mark.parametrize("text", [b"", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 20"])
def test_what_is_no_http_is_told(listen, text: bytes):
    server = listen(say(text))
    with pytest.raises(InstanceError, match=r"it did not answer in HTTP|it cannot be reached"):
        call_url("GET", f"{address(server)}/", timeout=10)


def test_what_the_other_side_says_is_not_repeated(listen):
    server = listen(say(b"secret-token-echoed\r\n\r\n"))
    with pytest.raises(InstanceError) as caught:
        call_url("GET", f"{address(server)}/", timeout=10)
    assert "echoed" not in caught.value.message


def test_nobody_there_is_told(tmp_path: Path):
    for where in ("http://127.0.0.1:9", f"unix://{tmp_path}/none.sock"):
        with pytest.raises(InstanceError, match="cannot be reached"):
            call("GET", where, "/", timeout=10)
