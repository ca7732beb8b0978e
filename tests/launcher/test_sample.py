"""The sample data folder."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from launcher.sample import make_sample


def test_the_sample_has_databases_that_open_state_that_parses_and_a_picture(tmp_path: Path):
    make_sample(tmp_path / "data")
    for name in ("first", "second"):
        with closing(sqlite3.connect(tmp_path / "data" / "sessions" / f"{name}.db")) as database:
            assert database.execute("SELECT count(*) FROM message").fetchone() == (1000,)
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert json.loads((tmp_path / "data" / "state.json").read_text())["sample"] is True
    assert (tmp_path / "data" / "media" / "gradient.png").read_bytes().startswith(b"\x89PNG")


def test_a_sample_interrupted_half_way_is_finished_by_the_next_start(tmp_path: Path):
    half = tmp_path / "data.new" / "sessions"
    half.mkdir(parents=True)
    make_sample(tmp_path / "data")
    assert (tmp_path / "data" / "README.txt").is_file()
    assert not (tmp_path / "data.new").exists()


def test_an_existing_folder_is_never_touched(tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "mine").write_text("mine")
    with pytest.raises(OSError):
        make_sample(data)
    assert [path.name for path in data.iterdir()] == ["mine"]
