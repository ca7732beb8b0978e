"""Restores where the data folder is a mount, a volume, in a container's image, or the disk full."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_swap import REPOSITORY, expected
from tests.support.places import PRIVATE, needs_mounts

pytestmark = needs_mounts


def probe(case: str, folder: Path) -> dict[str, Any]:
    base = folder / "base"
    base.mkdir()
    command = [*PRIVATE, sys.executable, "-m", "tests.engine.place_probe", case, str(base)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("case", ["bind_mount", "volume", "overlay"])
def test_a_folder_that_cannot_be_moved_is_restored_entry_by_entry(
    case: str, tmp_path: Path
) -> None:
    result = probe(case, tmp_path)
    assert result["mode"] == "entries"
    assert result["after"] == expected(tmp_path, "new")
    assert result["safety"] == expected(tmp_path, "old")
    assert result["left"] == []
    assert result["steps"] >= 3
    assert result["early"] == [], "a step of the journal before the sync of what it builds on"


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("inner_mount", "TARGET_BUSY"),
        ("full_disk", "TARGET_NO_SPACE"),
        ("no_inodes", "TARGET_NO_SPACE"),
    ],
)
def test_a_place_that_cannot_take_the_backup_is_left_as_it_was(
    case: str, code: str, tmp_path: Path
) -> None:
    result = probe(case, tmp_path)
    assert result["code"] == code
    assert result["after"] == result["before"]
    assert result["left"] == []


PIECES = [
    ("swap.other-mode", "undone", "old"),
    ("entries.moved-piece:1", "undone", "old"),
    ("entries.moved-piece:2", "undone", "old"),
    ("entries.moved-out:2", "undone", "old"),
    ("entries.all-out", "undone", "old"),
    ("entries.turned", "finished", "new"),
    ("entries.moved-in:2", "finished", "new"),
]


@pytest.mark.parametrize(("point", "outcome", "word"), PIECES)
def test_a_crash_while_folders_are_moved_piece_by_piece_leaves_all_old_or_all_new(
    point: str, outcome: str, word: str, tmp_path: Path
) -> None:
    result = probe(point, tmp_path)
    assert result == {"died": -9, "outcome": outcome, "after": expected(tmp_path, word)}
