"""A folder of ours is removed whatever lies in it, and nothing beside it."""

from __future__ import annotations

import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.test_swap_parts import as_nobody
from tests.faults.test_odd_files import make_deep
from worker.engine.swap.discard import discard


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may come to and write to."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o777)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_what_is_there_goes_and_what_lies_beside_or_behind_a_link_stays(place: Path) -> None:
    doomed = place / "doomed"
    for name in ("a/b/c", "a/d", "e", "f/g/h"):
        (doomed / name).mkdir(parents=True)
        (doomed / name / "file").write_text("x")
    (place / "kept").mkdir()
    (place / "kept" / "file").write_text("x")
    (doomed / "a" / "link").symlink_to(place / "kept")
    discard(doomed)
    assert sorted(path.name for path in place.rglob("*")) == ["file", "kept"]


def test_an_absent_one_is_success_and_a_link_or_a_file_is_none(place: Path) -> None:
    discard(place / "absent")
    (place / "kept").mkdir()
    (place / "link").symlink_to("kept")
    (place / "file").write_text("x")
    for name in ("link", "file"):
        with pytest.raises(NotADirectoryError):
            discard(place / name)
    assert sorted(path.name for path in place.iterdir()) == ["file", "kept", "link"]


def test_deeper_than_a_path_can_say_with_few_descriptors_and_without_rights_on_it(
    place: Path,
) -> None:
    def make_and_discard() -> None:
        doomed = place / "doomed"
        doomed.mkdir()
        make_deep(doomed, 600, "x" * 60)  # 36,600 bytes
        inner = doomed / "closed" / "inner"
        inner.mkdir(parents=True)
        (inner / "file").touch()
        inner.chmod(0o000)
        inner.parent.chmod(0o500)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        discard(doomed)

    assert as_nobody(place, make_and_discard) == 0
    assert list(place.iterdir()) == []
