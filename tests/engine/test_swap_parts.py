"""Exchanging single entries: each whole at any crash, all old or all new after the next start."""

from __future__ import annotations

import codecs
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.crash_parts import NOW, WORDS, fill_new, fill_old, put, undo
from tests.engine.trees import describe
from worker.engine.archive.choice import Choice
from worker.engine.errors import TargetError
from worker.engine.part_list import list_parts
from worker.engine.progress import Progress
from worker.engine.swap import parts as parts_module
from worker.engine.swap import sides as sides_module
from worker.engine.swap import taking_back
from worker.engine.swap.parts import PARTS
from worker.engine.swap.site import Site, look, sites_of
from worker.engine.swap.staging import staging
from worker.engine.swap.swap import Outcome, finish_interrupted, swap
from worker.engine.swap.units import LIST, is_partial, read_units

REPOSITORY = Path(__file__).parents[2]
KILLED = -9
NOBODY = 65534
UNITS = 10  # entries that the swap of `crash_parts` exchanges
BEGIN = ["swap.journalled", "parts.prepared", "parts.turned"]
END = ["parts.all-in", "parts.listed", "swap.done", "swap.over"]
EXCHANGED = 6  # of them replace something
ENTRY = [f"parts.placed:{n}" for n in range(1, UNITS + 1)]
SWEPT = [f"parts.swept:{n}" for n in (1, 2, 3)]
POINTS = [
    *[("exchange", point) for point in (*BEGIN, *END, *ENTRY, *SWEPT)],
    *[("exchange", f"parts.exchanged:{n}") for n in range(1, UNITS + 1)],
    *[("rename", point) for point in (*BEGIN, *END, *ENTRY)],
    *[("rename", f"parts.away:{n}") for n in range(1, EXCHANGED + 1)],
]
BACK = [
    *[f"parts.taken-back:{n}" for n in range(1, UNITS + 1)],
    "parts.turned-back", "parts.exchanged-back", "parts.exchanged-back:2", "swap.recovered",
]  # fmt: skip


def run(action: str, live: Path, way: str, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.engine.crash_parts", action, str(live), way],
        env={**os.environ, "TARKEEP_CRASH_AT": crash_at},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def live(tmp_path: Path) -> Path:
    folder = tmp_path / "place" / "data"
    folder.mkdir(parents=True)
    fill_old(folder)
    return folder


def seen(folder: Path) -> dict[bytes, tuple[object, ...]]:
    """Everything but the times of folders, which change with what is put into them."""
    return {
        path: (kind, mode, content)
        for path, (kind, mode, _, content) in describe(folder).items()
        if not path.startswith(b".tarkeep-")
    }


@pytest.fixture
def old(tmp_path: Path) -> dict[bytes, tuple[object, ...]]:
    folder = tmp_path / "old"
    folder.mkdir()
    fill_old(folder)
    return without_databases(seen(folder))


@pytest.fixture
def new(tmp_path: Path) -> dict[bytes, tuple[object, ...]]:
    """What is named as in the backup, the rest as it was."""
    folder = tmp_path / "new"
    folder.mkdir()
    fill_old(folder)
    shutil.rmtree(folder / "media")
    shutil.rmtree(folder / "deep/now-a-file")
    for name in ("link", "one.db", "one.db-wal", "one.db-shm", "one.db-journal"):
        (folder / name).unlink()
    fill_new(folder)
    return without_databases(seen(folder))


def without_databases(tree: dict[bytes, tuple[object, ...]]) -> dict[bytes, tuple[object, ...]]:
    """Two SQLite files of the same rows need not be of the same bytes: their word alone counts."""
    return {
        path: (
            kind,
            mode,
            re.findall(rb"\b(?:old|new)\b", content) if b"SQLite" in content[:9] else content,
        )
        for path, (kind, mode, content) in tree.items()
    }


def state(live: Path) -> dict[bytes, tuple[object, ...]]:
    return without_databases(seen(live))


def assert_nothing_left(live: Path) -> None:
    for site in sites_of(live):
        assert not site.journal.exists()
        assert not site.leftovers()


def copies(live: Path) -> list[Path]:
    return sorted(live.parent.glob("data.before-*"))


@pytest.fixture(params=["exchange", "rename"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "rename":
        monkeypatch.setattr(sides_module, "exchange", lambda *_: False)
    return str(request.param)


def test_named_entries_are_exchanged_and_everything_else_stays(
    way: str, live: Path, new: dict[bytes, tuple[object, ...]]
) -> None:
    put(live)
    assert state(live) == new
    assert_nothing_left(live)


def test_the_safety_copy_holds_what_was_replaced_and_nothing_more(way: str, live: Path) -> None:
    put(live)
    (copy,) = copies(live)
    held = {path for path in describe(copy) if not path.startswith(b".")}
    assert held == {
        b"state.json", b"media", b"media/a", b"media/only-old", b"link", b"one.db", b"one.db-wal",
        b"one.db-shm", b"one.db-journal", b"not.db", b"deep", b"deep/now-a-file",
        b"deep/now-a-file/inner",
    }  # fmt: skip
    assert len(list(read_units(copy))) == UNITS


def test_an_undo_brings_back_what_was_there_and_can_be_undone_itself(
    way: str, live: Path, old: dict[bytes, tuple[object, ...]], new: dict[bytes, tuple[object, ...]]
) -> None:
    put(live)
    undo(live)
    assert state(live) == old
    undo(live)
    assert state(live) == new
    assert len(copies(live)) == 1
    assert_nothing_left(live)


@pytest.mark.parametrize(("way", "point"), POINTS)
def test_a_crash_at_any_point_leaves_all_old_or_all_new_after_the_next_start(
    way: str, point: str, live: Path, old: dict[bytes, tuple[object, ...]],
    new: dict[bytes, tuple[object, ...]],
) -> None:  # fmt: skip
    assert run("put", live, way, crash_at=point).returncode == KILLED
    assert_each_is_whole(live, way)
    outcome = finish_interrupted(live)
    assert_nothing_left(live)
    began = point not in BEGIN[:2]
    assert state(live) == (new if began else old)
    if point != "swap.over":
        assert outcome is (Outcome.FINISHED if began else Outcome.UNDONE)
    assert [is_partial(copy) for copy in copies(live)] == ([True] if began else [])
    if began:
        undo(live)
        assert state(live) == old


def assert_each_is_whole(live: Path, way: str) -> None:
    """Entirely old or entirely new; absent only where the file system knows no exchange."""
    media = (
        sorted(path.name for path in (live / "media").iterdir())
        if (live / "media").exists()
        else None
    )
    assert media in ([["a", "only-new"], ["a", "only-old"]] + [None] * (way == "rename"))
    if media:
        assert (live / "media/a").read_text() == media[1].removeprefix("only-")
    if way == "exchange":
        assert (live / "state.json").read_text() in ("old", "new")
        assert (live / "one.db").exists()
        assert os.readlink(live / "link") in ("old-target", "new-target")


@pytest.mark.parametrize(
    "again", ["parts.placed:1", "parts.placed:5", "parts.all-in", "parts.listed", "swap.recovered"]
)
@pytest.mark.parametrize("point", ["parts.exchanged:2", "parts.placed:3", "parts.swept:2"])
def test_a_crash_while_it_is_finished_does_no_harm_either(
    point: str, again: str, live: Path, new: dict[bytes, tuple[object, ...]]
) -> None:
    assert run("put", live, "exchange", crash_at=point).returncode == KILLED
    assert run("recover", live, "exchange", crash_at=again).returncode == KILLED
    finish_interrupted(live)
    assert state(live) == new
    assert_nothing_left(live)


@pytest.mark.parametrize("point", ["", *BACK])
def test_an_error_of_the_disk_takes_everything_back_and_a_crash_meanwhile_too(
    point: str, live: Path, old: dict[bytes, tuple[object, ...]]
) -> None:
    ran = run("fail", live, "exchange", crash_at=point)
    assert ran.returncode == (KILLED if point else 1), ran.stderr
    finish_interrupted(live)
    assert state(live) == old
    assert copies(live) == []
    assert_nothing_left(live)


@pytest.mark.parametrize(
    "point", ["parts.placed:2", "parts.exchanged:3", "parts.all-in", "parts.listed"]
)
def test_an_undo_that_crashes_is_finished(
    point: str,
    live: Path,
    old: dict[bytes, tuple[object, ...]],
    new: dict[bytes, tuple[object, ...]],
) -> None:
    put(live)
    assert run("undo", live, "exchange", crash_at=point).returncode == KILLED
    assert finish_interrupted(live) is Outcome.FINISHED
    assert state(live) == old
    assert len(copies(live)) == 1
    undo(live)
    assert state(live) == new


def test_what_an_application_wrote_after_a_crash_is_kept_aside(live: Path) -> None:
    assert run("put", live, "exchange", crash_at="parts.swept:3").returncode == KILLED
    (live / "one.db-wal").write_text("written to the old database after its log was gone")
    (live / "state.json").write_text("written after the crash")
    finish_interrupted(live)
    assert not (live / "one.db-wal").exists()
    kept = [
        path.read_text()
        for copy in copies(live)
        for path in copy.rglob("*")
        if path.is_file() and path.suffix not in (".db",)
    ]
    assert any("written" in text for text in kept)


def test_every_crash_point_is_tested() -> None:
    files = (parts_module.__file__, sides_module.__file__, taking_back.__file__)
    source = "".join(Path(file).read_text() for file in files)
    tested = {point.partition(":")[0] for _, point in POINTS} | {p.partition(":")[0] for p in BACK}
    assert set(re.findall(r'crashpoint\("([^"]+)"\)', source)) <= tested


@pytest.mark.parametrize("way_taken", ["file", "link"])
def test_a_file_or_link_in_the_way_is_refused(way_taken: str, live: Path) -> None:
    shutil.rmtree(live / "deep")
    if way_taken == "file":
        (live / "deep").write_text("in the way")
    else:
        (live / "deep").symlink_to("/etc")
    before = state(live)
    with pytest.raises(TargetError) as caught:
        put(live)
    assert caught.value.code == "TARGET_BLOCKED"
    assert state(live) == before
    assert_nothing_left(live)


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        '{"path": "../out", "inode": 1, "database": false}',
        '{"path": ".tarkeep-x", "inode": 1, "database": false}',
    ],
)
def test_a_list_that_is_not_ours_moves_nothing(
    line: str, live: Path, old: dict[bytes, tuple[object, ...]]
) -> None:
    assert run("put", live, "exchange", crash_at="parts.turned").returncode == KILLED
    (stage,) = look(live).leftovers()
    (stage / LIST).write_text(line + "\n")
    with pytest.raises(TargetError, match="cannot be understood"):
        finish_interrupted(live)
    assert state(live) == old
    assert look(live).journal.exists()


def test_a_stage_copied_elsewhere_and_back_is_not_guessed_at(
    live: Path, old: dict[bytes, tuple[object, ...]]
) -> None:
    assert run("put", live, "exchange", crash_at="parts.turned").returncode == KILLED
    (stage,) = look(live).leftovers()
    copy = stage.with_name("copy")
    shutil.copytree(stage, copy, symlinks=True)
    shutil.rmtree(stage)
    copy.rename(stage)
    with pytest.raises(TargetError, match="told apart"):
        finish_interrupted(live)
    assert state(live) == old


def test_companions_that_belong_to_no_database_are_left_alone(live: Path) -> None:
    put(live)
    assert (live / "not.db-wal").read_text() == "nobody's"
    assert (live / "two.db-wal").read_text().startswith("new")


def test_lonely_companions_are_not_restored(live: Path, tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    staged.mkdir()
    (staged / "not.db").write_text("text")
    (staged / "not.db-wal").write_text("of somebody else")
    list_parts(staged, live, Choice(["not.db"]))
    assert [unit.path for unit in read_units(staged)] == [b"not.db"]
    assert not (staged / "not.db-wal").exists()


def test_inside_a_volume_everything_lies_hidden_in_it(
    live: Path, old: dict[bytes, tuple[object, ...]], new: dict[bytes, tuple[object, ...]]
) -> None:
    """The way of a data folder that is a mount point: nothing can lie beside it."""
    site = Site(live.resolve(), PARTS, live.resolve())
    with staging(site, Progress()) as staged:
        fill_new(staged)
        list_parts(staged, live, Choice(WORDS))
        swap(site, staged, site.safety_copy(NOW))
    assert state(live) == new
    (copy,) = live.glob(".tarkeep-before-restore-*")
    assert (copy / "state.json").read_text() == "old"
    swap(site, copy, site.safety_copy(NOW))
    assert state(live) == old
    assert_nothing_left(live)


def test_folders_that_may_not_be_written_are_exchanged_without_rights_of_root(
    old: dict[bytes, tuple[object, ...]], new: dict[bytes, tuple[object, ...]]
) -> None:
    place = Path(tempfile.mkdtemp())
    try:
        live = place / "data"
        live.mkdir()
        fill_old(live)
        (live / "deep/er").chmod(0o555)
        assert as_nobody(place, lambda: put(live)) == 0
        modes = [(live / name).stat().st_mode & 0o777 for name in ("deep/er", "media")]
        (live / "deep/er").chmod(0o755)
        assert modes == [0o555, new[b"media"][1]]
        assert state(live) == new
        assert as_nobody(place, lambda: undo(live)) == 0
        assert (live / "media").stat().st_mode & 0o777 == 0o555
        assert state(live) == old
    finally:
        shutil.rmtree(place)


def as_nobody(
    place: Path, run_it: Callable[[], None], before: Callable[[], None] = lambda: None
) -> int:
    """Run it in a process of a user without rights, who owns `place`; its exit code.

    `before` is run with the rights that there are, once the place is theirs.

    Whoever is not root has no more rights than that anyway.
    """
    codecs.lookup("ascii")  # whoever has no rights may not even load a part of Python
    child = os.fork()
    if not child:
        code = 1
        logging.disable()  # the log belongs to somebody else
        try:
            if os.geteuid() == 0:
                for path in (place, *place.rglob("*")):
                    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
                before()
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            run_it()
            code = 0
        finally:
            if code:
                traceback.print_exc()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
