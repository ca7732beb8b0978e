"""Snapshots of a real Btrfs, made by the hooks of `examples/`, and its reflinks."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from tests.support.btrfs import mounted
from tests.support.memory_storage import MemoryStorage
from tests.support.places import needs_mounts
from worker.engine.backup import run_backup
from worker.engine.capture.copying import copy_content
from worker.engine.config import PlanConfig, ReuseConfig
from worker.engine.errors import SourceError
from worker.engine.instances.config import CommandConfig, HookConfig, InstanceConfig
from worker.engine.restore_to import run_restore_to

pytestmark = needs_mounts
NOW = datetime(2026, 1, 2, tzinfo=UTC)
EXAMPLE = Path(__file__).parents[2] / "examples" / "snapshots" / "btrfs.sh"


@pytest.fixture
def btrfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where one is mounted."""
    top, tools = tmp_path / "volume", tmp_path / "bin"
    top.mkdir()
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    with mounted(top, tools):
        yield top


def test_copies_on_one_file_system_share_their_blocks(btrfs: Path) -> None:
    content = os.urandom(40 * 1024 * 1024)
    (btrfs / "source").write_bytes(content)
    for name in ("one", "two", "three"):  # for which there is no room
        with (btrfs / "source").open("rb") as source, (btrfs / name).open("wb") as target:
            copy_content(source.fileno(), target.fileno(), nullcontext)
            os.fsync(target.fileno())
        assert (btrfs / name).read_bytes() == content


@pytest.fixture
def plan(btrfs: Path, tmp_path: Path) -> PlanConfig:
    """An application in a subvolume. It runs while there is a file `running`, and the moment that
    it starts again it writes."""
    app, snapshot, state = btrfs / "app", btrfs / "snapshot", tmp_path / "running"
    subprocess.run(["btrfs", "subvolume", "create", str(app)], check=True)
    (app / "data").mkdir()
    (app / "data" / "state").write_text("as it was")
    (app / "data" / "media").write_bytes(os.urandom(20_000))
    with closing(sqlite3.connect(app / "data" / "chat.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE t (a)")
    state.touch()
    hook = tmp_path / "hook.sh"
    text = EXAMPLE.read_text().replace("SUBVOLUME=/srv/app", f"SUBVOLUME={app}")
    hook.write_text(text.replace("SNAPSHOT=/srv/app-snapshot", f"SNAPSHOT={snapshot}"))
    written = f"touch {state}; echo later >> {app}/data/state"
    command = CommandConfig(
        stop=("rm", str(state)), start=("sh", "-c", written), status=("test", "-e", str(state))
    )
    argv = ("sh", str(hook))
    return PlanConfig(
        data_dir=app / "data",
        read_dir=snapshot / "data",
        temp_dir=tmp_path / "temp",
        stop_instances=True,
        instances=InstanceConfig(drivers=("command",), command=command),
        hooks=HookConfig(stopped=argv, post=argv, on_error=argv),
        reuse=ReuseConfig(least_copy=200, settled=-(10**18)),
    )


class Phases(Heard):
    def __init__(self, state: Path) -> None:
        super().__init__()
        self.state, self.ran = state, dict[str, bool]()

    def phase(self, name: str) -> None:
        self.ran[name] = self.state.exists()


def test_a_snapshot_is_read_while_the_application_runs_again(
    plan: PlanConfig, tmp_path: Path
) -> None:
    storage, heard = MemoryStorage(), Phases(tmp_path / "running")
    # An application whose database has content in its log, in the snapshot too.
    with closing(sqlite3.connect(plan.data_dir / "chat.db", isolation_level=None)) as db:
        db.execute("INSERT INTO t VALUES ('in the log')")
        first = run_backup(plan, storage, heard, now=NOW)
        second = run_backup(plan, storage, heard, now=NOW + timedelta(days=1))
    assert heard.codes == []
    assert (heard.ran["scanning"], heard.ran["archiving"]) == (True, True)
    assert first.downtime > 0
    assert second.bytes_copied > 20_000
    assert not plan.read_dir.parent.exists()  # type: ignore[union-attr]
    for made, state in ((first, "as it was"), (second, "as it waslater\n")):
        out = tmp_path / made.key.rpartition("/")[2]
        run_restore_to(plan, storage, Heard(), key=made.key, target=out)
        assert (out / "state").read_text() == state
        with closing(sqlite3.connect(out / "chat.db")) as db:
            assert db.execute("SELECT a FROM t").fetchall() == [("in the log",)]


def test_a_snapshot_that_was_not_made_is_refused_with_the_application_running(
    plan: PlanConfig, tmp_path: Path
) -> None:
    nothing = replace(plan, hooks=HookConfig())
    with pytest.raises(SourceError) as caught:
        run_backup(nothing, MemoryStorage(), Heard(), now=NOW)
    assert caught.value.code == "SOURCE_MISSING"
    assert "BACKUP_READ_DIR" in caught.value.hint
    assert (tmp_path / "running").exists()
