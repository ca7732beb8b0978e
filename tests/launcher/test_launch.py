"""`make run`, from the first start to the last Ctrl-C, with real servers and real processes."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from launcher.ports import free_ports
from tests.launcher.launched import Launched, clean_environment, copy_tree, still_running

LIST_BUCKET = """
import boto3, os
listed = boto3.client("s3").list_objects_v2(Bucket=os.environ["BACKUP_S3_BUCKET"])
print(*(found["Key"] for found in listed["Contents"]))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return copy_tree(tmp_path / "tarkeep")


@pytest.fixture
def launch(home: Path) -> Iterator[object]:
    """Starts launchers in `home`; whatever a test leaves running is ended."""
    begun: list[Launched] = []

    def start(**settings: str) -> Launched:
        begun.append(Launched(home, **settings))
        return begun[-1]

    yield start
    for launched in begun:
        if launched.process.poll() is None:
            launched.stop()


def log_in(launched: Launched, password: str) -> httpx.Response:
    with httpx.Client(base_url=f"http://127.0.0.1:{launched.port}", timeout=30) as browser:
        page = browser.get("/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token, page.text
        form = {"username": "admin", "password": password, "csrfmiddlewaretoken": token.group(1)}
        return browser.post("/login/", data=form, headers={"Referer": str(page.url)})


def test_first_start_backup_stop_and_a_second_start_that_knows_it_all(launch, home: Path):
    first = launch().started()
    password = first.password()
    assert log_in(first, password).status_code == 302
    assert f"{home}/data   (a small sample, made just now)" in first.output()
    assert "ON THIS SAME MACHINE" in first.output()
    with first.tarkeep() as tarkeep:
        assert tarkeep.status()["storageLocal"] is True
        key = tarkeep.wait(tarkeep.back_up())["backupKey"]
    assert objects_in_bucket(home) == {key, f"{key}.metadata.json", f"{key}.index"}
    running = first.parts()
    assert len(running) >= 6
    assert key in typed(home, "list").stdout
    assert first.stop() == 0
    assert still_running(running) == []
    assert "BACKUP_S3_BUCKET is not configured" in typed(home, "list").stderr

    second = launch().started()
    assert second.password() is None
    assert password not in second.output()
    assert log_in(second, password).status_code == 302
    assert "sample" not in second.output()
    with second.tarkeep() as tarkeep:
        assert [backup["key"] for backup in tarkeep.backups()] == [key]
    assert second.stop(signal.SIGTERM) == 0


def typed(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`tarkeep` beside `make run`, in a shell that knows nothing of it."""
    command = [sys.executable, "-m", "worker.engine.cli", *words]
    return subprocess.run(
        command, cwd=home, env=clean_environment(), capture_output=True, text=True
    )


def objects_in_bucket(home: Path) -> set[str]:
    """What a shell sees that has read `bucket.env`, through a client that is not ours."""
    python = shlex.join([sys.executable, "-c", LIST_BUCKET])
    command = f"set -a; . var/bucket.env; exec {python}"
    shown = subprocess.run(
        ["sh", "-c", command],
        cwd=home,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return {key for key in shown.stdout.split() if key.startswith("backups/")}


def test_a_taken_port_is_named_with_the_variable_to_change(launch, home: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = launch(PORT=str(port))
        assert refused.exit_code() == 1
    assert f"Port {port} is taken" in refused.output()
    assert "Set PORT" in refused.output()


def test_a_second_launcher_in_the_same_folder_is_refused(launch, home: Path):
    first = launch().started()
    second = Launched(copy_of(home))
    assert second.exit_code() == 1
    assert "already runs" in second.output()
    assert first.process.poll() is None


def copy_of(home: Path) -> Path:
    """The same folder under another name, so that the two screens are two files."""
    other = home.with_name("link")
    other.symlink_to(home)
    return other


def test_a_part_that_dies_is_started_again(launch):
    launched = launch().started()
    for name in ("-Q backup", "valkey-server"):
        killed = launched.part(name)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: any(name in line for line in others(launched, killed)))  # noqa: B023
    with launched.tarkeep() as tarkeep:
        assert tarkeep.wait(tarkeep.back_up())["backupKey"]


def others(launched: Launched, gone: int) -> list[str]:
    return [line for pid, line in launched.parts().items() if pid != gone]


def wait_until(true) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.1)


def test_what_a_killed_launcher_left_running_is_ended_by_the_next_start(launch):
    first = launch().started()
    left = first.parts()
    first.process.kill()
    first.process.wait()
    assert still_running(left)
    second = launch(PORT=str(first.port)).started()
    assert still_running(left) == []
    assert second.stop() == 0


def test_a_part_that_does_not_come_up_is_named_and_everything_stops(launch, home: Path):
    procfile = (home / "Procfile").read_text()
    broken = re.sub(r"^beat: .*$", "beat: echo no clock here; exit 3", procfile, flags=re.MULTILINE)
    (home / "Procfile").write_text(broken)
    refused = launch()
    refused.wait_for("Starting web")
    running = refused.parts()
    assert refused.exit_code() == 1
    assert "beat: stopped with exit code 3" in refused.output()
    assert "no clock here" in refused.output()
    assert still_running(running) == []


def test_a_redis_that_is_configured_but_absent_is_named(launch):
    port = free_ports(1)[0]
    refused = launch(REDIS_URL=f"redis://:not-shown@127.0.0.1:{port}/0")
    assert refused.exit_code() == 1
    assert "Redis of REDIS_URL" in refused.output()
    assert "not-shown" not in refused.output()


def test_wrong_settings_are_all_shown_and_the_web_part_still_comes_up(launch):
    launched = launch(
        BACKUP_COMPRESSION_LEVEL="10", BACKUP_ENABLED="yes", BACKUP_S3_ENDPOINT="http://127.0.0.1:9"
    ).started()
    for name in ("BACKUP_COMPRESSION_LEVEL", "BACKUP_ENABLED"):
        assert f"Problem    {name}" in launched.output()
    assert "BACKUP_S3_BUCKET is not configured" in launched.output()
    with launched.tarkeep() as tarkeep:
        problems = tarkeep.status()["problems"]
    assert {"BACKUP_COMPRESSION_LEVEL", "BACKUP_ENABLED", "BACKUP_S3_BUCKET"} <= {
        problem["variable"] for problem in problems
    }
    assert not any("weed" in line for line in launched.parts().values())


@pytest.mark.parametrize("moment", ["Starting Tarkeep", "Preparing the database", "Starting web"])
def test_ctrl_c_while_starting_leaves_nothing_running(launch, moment: str):
    launched = launch()
    launched.wait_for(moment)
    running = launched.parts()
    assert launched.stop() == 0
    assert still_running(running) == []
    assert "Traceback" not in launched.output()
