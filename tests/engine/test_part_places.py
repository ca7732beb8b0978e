"""Partial restores where the data folder is a mount, a volume, in an image, or the disk full.

Needs the right to mount: CI has it, and skips nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_swap import REPOSITORY
from tests.support.places import PRIVATE, needs_mounts

pytestmark = needs_mounts


def probe(case: str, folder: Path, *words: str) -> dict[str, Any]:
    base = folder / "base"
    base.mkdir()
    program = [sys.executable, "-m", "tests.engine.part_probe"]
    done = subprocess.run(
        [*PRIVATE, *program, case, str(base), *words],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def changed(result: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    before, after = result["before"], result["after"]
    names = before.keys() | after.keys()
    return {
        name: (before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    }


@pytest.mark.parametrize("case", ["bind_mount", "volume"])
def test_files_and_folders_are_exchanged_in_a_volume(case: str, tmp_path: Path) -> None:
    result = probe(case, tmp_path, "both", "both-folder", "folder-new/deep")
    assert result["mode"] == "parts"
    assert changed(result) == {
        "both": ("old", "new"),
        "both-folder/inner": ("old", "new"),
        "folder-new": (None, ""),
        "folder-new/deep": (None, ""),
        "folder-new/deep/file": (None, "new"),
    }
    assert result["safety"]["both-folder/inner"] == "old"
    assert result["left"] == []


def test_files_of_an_image_are_exchanged(tmp_path: Path) -> None:
    result = probe("overlay", tmp_path, "both", "only-new")
    assert changed(result) == {"both": ("old", "new"), "only-new": (None, "new")}
    assert result["safety"]["both"] == "old"


@pytest.mark.parametrize(
    ("case", "words", "code"),
    [
        ("overlay", ["both", "both-folder"], "TARGET_UNWRITABLE"),
        ("inner_mount", ["both"], "TARGET_BUSY"),
        ("full_disk", ["large", "both"], "TARGET_NO_SPACE"),
        ("no_inodes", ["both", "[1-4]?"], "TARGET_NO_SPACE"),
    ],
)
def test_a_place_that_cannot_take_it_is_left_as_it_was(
    case: str, words: list[str], code: str, tmp_path: Path
) -> None:
    result = probe(case, tmp_path, *words)
    assert result["code"] == code
    assert changed(result) == {}
    assert result["left"] == []
