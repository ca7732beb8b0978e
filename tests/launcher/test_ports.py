"""Ports: two that start at once never choose the same, and one that is lost is made up for."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from launcher.errors import LaunchError
from launcher.ports import LOOPBACK, free_ports, take
from launcher.seaweed import start_seaweed
from launcher.server import Command, PortLost, ServerProcess, on_other_ports

AT_ONCE = 4
EACH = 400  # chosen at random, four times as many would meet some dozens of times
CHOOSE = f"""
import json
from launcher.ports import free_ports
print(json.dumps(free_ports({EACH})), flush=True)
input()
"""
TAKE = "from launcher.ports import take; print(take([int(input())]))"


@contextmanager
def choosers() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that each choose ports at the same time, and hold them until they are let go."""
    argv = [sys.executable, "-c", CHOOSE]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) for _ in range(AT_ONCE)]
    try:
        yield started
    finally:
        for process in started:
            process.communicate("\n")


def taken_elsewhere(port: int) -> bool:
    argv = [sys.executable, "-c", TAKE]
    shown = subprocess.run(argv, input=f"{port}\n", capture_output=True, text=True, check=True)
    return shown.stdout.strip() == "False"


def test_processes_that_choose_at_the_same_time_choose_different_ports():
    with choosers() as processes:
        chosen = [port for one in processes for port in json.loads(one.stdout.readline())]
    assert len(chosen) == AT_ONCE * EACH
    assert len(set(chosen)) == len(chosen)


def test_a_chosen_port_is_nobody_elses_until_its_process_ends():
    with choosers() as processes:
        ports = json.loads(processes[0].stdout.readline())
        assert taken_elsewhere(ports[0])
        assert not take(ports[:1])
    assert not taken_elsewhere(ports[0])


def test_a_process_is_not_given_a_port_twice():
    first, second = free_ports(50), free_ports(50)
    assert not set(first) & set(second)
    assert take(first)  # they stay its own: what ran there may run there again


def test_a_server_whose_port_is_taken_while_it_starts_comes_up_on_others(tmp_path: Path):
    with thief(tmp_path / "s3", "s3") as stolen:
        server = start_seaweed(tmp_path / "s3", max_volumes=50)
        try:
            assert stolen
            assert server.endpoint != f"http://{LOOPBACK}:{stolen[0]}"
        finally:
            server.stop()


def test_a_server_that_finds_no_port_says_so_with_its_own_last_words(tmp_path: Path):
    with socket.create_server((LOOPBACK, 0)) as taken:
        command = web_server(tmp_path, taken.getsockname()[1])

        def start() -> None:
            ServerProcess(command).wait_ready(lambda: False, limit=30)

        with pytest.raises(PortLost, match="web lost a port while it started") as error:
            on_other_ports(start)
    assert "Address already in use" in error.value.details
    assert error.value.__notes__ == [error.value.details]
    assert command.log.read_text().count("Traceback") > 1


def test_what_an_earlier_start_said_of_ports_is_not_held_against_the_next(tmp_path: Path):
    command = web_server(tmp_path, free_ports(1)[0])
    command.log.write_text("OSError: [Errno 98] Address already in use\n")
    server = ServerProcess(command)
    with pytest.raises(LaunchError, match="did not answer within 1 seconds"):
        server.wait_ready(lambda: False, limit=1)


def web_server(directory: Path, port: int) -> Command:
    argv = [sys.executable, "-m", "http.server", "--bind", LOOPBACK, str(port)]
    return Command("web", argv, directory, directory / "web.log")


@contextmanager
def thief(directory: Path, name: str) -> Iterator[list[int]]:
    """Takes the port `name` once the launcher has chosen it, before the server listens there."""
    stolen: list[int] = []
    ended = threading.Event()
    thread = threading.Thread(target=_steal, args=(directory, name, stolen, ended))
    thread.start()
    try:
        yield stolen
    finally:
        ended.set()
        thread.join()


def _steal(directory: Path, name: str, stolen: list[int], ended: threading.Event) -> None:
    state = directory / "state.json"
    while not state.exists():
        if ended.is_set():
            return
        time.sleep(0.001)
    port = json.loads(state.read_text())["ports"][name]
    with socket.create_server((LOOPBACK, port)):
        stolen.append(port)
        ended.wait()
