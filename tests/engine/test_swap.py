"""Swapping a folder: kept whole by a crash at any point, in each mode."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.crash_swap import fill, restore
from worker.engine.errors import TargetError
from worker.engine.swap import swap as swap_module
from worker.engine.swap.lock import held
from worker.engine.swap.site import ENTRIES, EXCHANGE, NEW, RENAME, look, sites_of
from worker.engine.swap.swap import Outcome, finish_interrupted

REPOSITORY = Path(__file__).parents[2]
KILLED = -9
FOLDER_POINTS = ["swap.journalled", "swap.done", "swap.over"]
ENTRY_COUNT = 5
POINTS = [
    *[(NEW, point) for point in (*FOLDER_POINTS, "swap.placed")],
    *[(EXCHANGE, point) for point in (*FOLDER_POINTS, "swap.exchanged", "swap.exchange-synced",
                                      "swap.safety-named")],
    *[(RENAME, point) for point in (*FOLDER_POINTS, "swap.live-away", "swap.staged-in")],
    *[(ENTRIES, point) for point in (*FOLDER_POINTS, "entries.safety-made", "entries.all-out",
                                     "entries.turned", "entries.all-in")],
    *[(ENTRIES, f"entries.moved-{way}:{n}") for way in ("out", "in")
      for n in range(1, ENTRY_COUNT + 1)],
]  # fmt: skip
AGAIN = [
    (EXCHANGE, "swap.exchanged", "swap.safety-named"),
    (EXCHANGE, "swap.journalled", "swap.recovered"),
    (RENAME, "swap.live-away", "swap.recovered"),
    *[(ENTRIES, "entries.moved-out:3", f"entries.moved-back:{n}") for n in (1, 2, 3)],
    *[(ENTRIES, "entries.moved-in:2", f"entries.moved-in:{n}") for n in (1, 2, 3)],
    (ENTRIES, "entries.moved-in:2", "entries.all-in"),
    (ENTRIES, "entries.moved-in:2", "swap.recovered"),
]


def tree(folder: Path) -> dict[str, str]:
    """What is in the folder, our own working files left out."""
    found = {".": oct(folder.stat().st_mode & 0o777)}
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".tarkeep-")]
        for name in (*folders, *files):
            path = Path(parent, name)
            if not name.startswith(".tarkeep-"):
                content = str(path.readlink()) if path.is_symlink() else ""
                found[str(path.relative_to(folder))] = (
                    path.read_text() if not content and path.is_file() else content
                )
    return found


def expected(tmp_path: Path, word: str) -> dict[str, str]:
    folder = tmp_path / f"expected-{word}"
    folder.mkdir()
    fill(folder, word)
    return tree(folder)


def run(action: str, live: Path, mode: str, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.engine.crash_swap", action, str(live), mode],
        env={**os.environ, "TARKEEP_CRASH_AT": crash_at},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A live folder filled with the old tree."""
    folder = tmp_path / "place" / "data"
    folder.mkdir(parents=True)
    fill(folder, "old")
    return folder


def assert_nothing_left(live: Path) -> None:
    for site in sites_of(live):
        assert not site.journal.exists()
        assert not site.leftovers()


@pytest.mark.parametrize("mode", [EXCHANGE, RENAME, ENTRIES])
def test_a_swap_puts_the_new_tree_in_place_and_keeps_the_old_one(
    mode: str, live: Path, tmp_path: Path
) -> None:
    restore(live, mode)
    assert tree(live) == expected(tmp_path, "new")
    assert_nothing_left(live)
    name = "data.before-restore-2025-08-29T05-00-00-000Z"
    hidden = ".tarkeep-before-restore-2025-08-29T05-00-00-000Z"
    safety = live / hidden if mode == ENTRIES else live.parent / name
    assert tree(safety) == expected(tmp_path, "old")


def test_a_missing_folder_is_simply_put_in_place(tmp_path: Path) -> None:
    live = tmp_path / "place" / "data"
    restore(live, NEW)
    assert tree(live) == expected(tmp_path, "new")
    assert sorted(path.name for path in live.parent.iterdir()) == ["data"]


@pytest.mark.parametrize(("mode", "point"), POINTS, ids=lambda value: str(value))
def test_a_crash_at_any_point_leaves_all_old_or_all_new_after_the_next_start(
    mode: str, point: str, live: Path, tmp_path: Path
) -> None:
    if mode == NEW:
        live.rename(tmp_path / "away")
    assert run("restore", live, mode, crash_at=point).returncode == KILLED
    outcome = finish_interrupted(live)
    assert_nothing_left(live)
    assert_whole(outcome, mode, live, tmp_path)
    assert finish_interrupted(live) is Outcome.NOTHING


def assert_whole(outcome: Outcome, mode: str, live: Path, tmp_path: Path) -> None:
    """Old after UNDONE, new after FINISHED; the crash after the journal's end is new too."""
    if outcome is Outcome.UNDONE and mode == NEW:
        assert not live.exists()
        return
    word = "old" if outcome is Outcome.UNDONE else "new"
    assert tree(live) == expected(tmp_path, word)
    copies = [*live.parent.glob("data.before-*"), *live.glob(".tarkeep-before-*")]
    if word == "new" and mode != NEW:
        assert [tree(copy) for copy in copies] == [expected(tmp_path, "old")]
    else:
        assert copies == []


@pytest.mark.parametrize(("mode", "first", "second"), AGAIN, ids=lambda value: str(value))
def test_a_crash_while_tidying_up_after_a_crash_does_no_harm_either(
    mode: str, first: str, second: str, live: Path, tmp_path: Path
) -> None:
    assert run("restore", live, mode, crash_at=first).returncode == KILLED
    assert run("recover", live, mode, crash_at=second).returncode == KILLED
    outcome = finish_interrupted(live)
    assert_nothing_left(live)
    assert_whole(outcome, mode, live, tmp_path)


def test_every_crash_point_of_the_swap_is_tested() -> None:
    folder = Path(swap_module.__file__).parent
    source = "".join((folder / name).read_text() for name in ("swap.py", "entries.py"))
    tested = {point.partition(":")[0] for case in (*POINTS, *AGAIN) for point in case[1:]}
    only_overlay = {"entries.moved-piece", "swap.other-mode"}
    assert set(re.findall(r'crashpoint\("([^"]+)"\)', source)) - only_overlay == tested


def test_staging_folders_of_a_dead_run_are_removed_but_not_those_of_a_neighbour(
    live: Path, tmp_path: Path
) -> None:
    neighbour = live.with_name("data-2")
    neighbour.mkdir()
    other = look(neighbour).new_stage()
    ours = look(live).new_stage()
    for folder in (other, ours):
        (folder / "locked").mkdir(parents=True, mode=0o000)
    assert finish_interrupted(live) is Outcome.NOTHING
    assert not ours.exists()
    assert other.exists()


def test_nothing_is_tidied_while_a_restore_holds_the_lock(live: Path) -> None:
    stage = look(live).new_stage()
    stage.mkdir()
    with held(look(live).lock), pytest.raises(TargetError) as busy:
        finish_interrupted(live)
    assert busy.value.code == "TARGET_BUSY"
    assert stage.exists()


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[]",
        '{"version": 2}',
        '{"version": 1, "mode": "exchange"}',
        '{"version": 1, "mode": "exchange", "staged": "../../e", "safety": "x", "staged_inode": 1}',
        '{"version": 1, "mode": "exchange", "staged": 1, "safety": "x", "staged_inode": 1}',
    ],
)
def test_a_journal_that_is_not_ours_moves_nothing(content: str, live: Path, tmp_path: Path) -> None:
    journal = look(live).journal
    journal.write_text(content)
    with pytest.raises(TargetError, match="cannot be understood"):
        finish_interrupted(live)
    assert tree(live) == expected(tmp_path, "old")
    assert journal.exists()


def test_what_an_application_wrote_after_a_crash_is_put_aside(live: Path, tmp_path: Path) -> None:
    assert run("restore", live, ENTRIES, crash_at="entries.moved-out:3").returncode == KILLED
    (live / "both").write_text("written by an application that found nothing")
    assert finish_interrupted(live) is Outcome.UNDONE
    assert tree(live) == expected(tmp_path, "old")
    (aside,) = live.glob(".tarkeep-before-*/.tarkeep-written-meanwhile/both.0")
    assert "an application" in aside.read_text()


def test_a_symlink_to_the_data_folder_stays_and_its_target_is_swapped(
    live: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(live)
    restore(link, EXCHANGE)
    assert link.is_symlink()
    assert tree(live) == expected(tmp_path, "new")


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(TargetError, match="not a folder"):
        look(tmp_path / "data")
