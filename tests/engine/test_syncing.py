"""What a restore writes is brought to the disk while it writes, and all of it at the end."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from tests.support.children import open_files, soon
from worker.engine.errors import JobStopped
from worker.engine.extract import syncing
from worker.engine.extract.syncing import synced
from worker.engine.progress import Progress


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    before = open_files()
    yield
    assert soon(lambda: open_files() <= before)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], list[float]]:
    """When the file system was synced; `meanwhile` is called each time, before it is."""
    sync = syncing.sync_file_system

    def begin(meanwhile: Callable[[], object]) -> list[float]:
        times: list[float] = []

        def watched(descriptor: int) -> None:
            times.append(time.monotonic())
            meanwhile()
            sync(descriptor)

        monkeypatch.setattr(syncing, "sync_file_system", watched)
        return times

    return begin


Watch = Callable[[Callable[[], object]], list[float]]


def nothing() -> None:
    """Happens meanwhile."""


def test_it_is_synced_meanwhile_and_once_more_at_the_end(tmp_path: Path, watch: Watch) -> None:
    times = watch(nothing)
    with synced(tmp_path, Progress()):
        assert soon(lambda: len(times) >= 2)
        ended = time.monotonic()
    assert times[-1] >= ended


def test_a_short_one_is_synced_once(tmp_path: Path, watch: Watch) -> None:
    times = watch(nothing)
    with synced(tmp_path, Progress()):
        (tmp_path / "file").write_bytes(b"content")
        assert not times
    assert len(times) == 1


def test_what_needs_no_sync_gets_none(tmp_path: Path, watch: Watch) -> None:
    times = watch(nothing)
    with synced(tmp_path, Progress(), wanted=False):
        pass
    assert not times


def test_what_failed_meanwhile_is_raised_at_the_end(tmp_path: Path, watch: Watch) -> None:
    """Whoever asks first is told of it by the kernel, and nobody else."""
    failed: list[bool] = []

    def once() -> None:
        if not failed:
            failed.append(True)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    watch(once)
    with pytest.raises(OSError, match="Input/output"), synced(tmp_path, Progress()):
        assert soon(lambda: failed)


def test_a_run_that_failed_is_not_synced(tmp_path: Path, watch: Watch) -> None:
    times = watch(nothing)
    with pytest.raises(KeyError), synced(tmp_path, Progress()):
        raise KeyError("x")
    time.sleep(0.1)
    assert not times


def test_a_run_that_is_to_end_does_not_wait_for_the_disk(tmp_path: Path, watch: Watch) -> None:
    class Cancelled(Progress):
        def checkpoint(self) -> None:
            raise JobStopped("Cancelled.")

    answers = Event()
    watch(answers.wait)
    with pytest.raises(JobStopped), synced(tmp_path, Cancelled()):
        pass
    answers.set()
