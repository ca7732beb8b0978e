"""Random sequences of backups, changes, restores, deletes, damage and deaths, against a model.

The model is what each backup must hold and what the folder holds. A death is an exception that
nobody handles, raised by the bucket at a random request: from there on the bucket does nothing
for that run any more, as for a process that is gone. Real deaths by SIGKILL are in `tests/soak`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.engine.test_reuse import write
from tests.engine.trees import describe
from tests.support.memory_storage import MemoryStorage
from tests.support.places import leftovers
from worker.engine.backup import run_backup
from worker.engine.capture.sizes import Sizes
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig, ReuseConfig
from worker.engine.errors import ArchiveError, EngineError
from worker.engine.naming import metadata_key
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.restore_to import run_restore_to
from worker.engine.swap.copies import safety_copies
from worker.engine.verify import run_verify

START = datetime(2026, 1, 1, tzinfo=UTC)
KEPT = 3
EXAMPLES = int(os.environ.get("TARKEEP_EXAMPLES", "12"))
names = st.sampled_from([f"folder-{n % 2}/file-{n}" for n in range(12)])


class Dead(BaseException):
    """The run is gone."""


class MortalStorage(MemoryStorage):
    """Dies at the request number `left`, and does nothing afterwards until it is `None` again."""

    left: int | None = None

    def __getattribute__(self, name: str) -> Any:
        if name in {"list", "head", "get", "put", "put_new", "delete", "start_upload", "missing",
                    "uploads", "upload_parts", "abort_upload", "close_upload"}:  # fmt: skip
            left = object.__getattribute__(self, "left")
            if left is not None:
                self.left = left - 1
                if left <= 0:
                    raise Dead
        return object.__getattribute__(self, name)


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp(prefix="tarkeep-machine-"))
        self.live = self.base / "place" / "data"
        self.live.mkdir(parents=True)
        self.storage = MortalStorage(least_part=200)
        self.plan = PlanConfig(
            data_dir=self.live,
            temp_dir=self.base / "temp",
            max_backups=KEPT,
            segment_size=1024,
            reuse=ReuseConfig(full_every=4, least_copy=200, settled=-(10**18)),
        )
        self.turn = 0
        self.saved: dict[str, dict[bytes, Any]] = {}

    @initialize()
    def fill(self) -> None:
        for number in range(4):
            write(self.live / f"first-{number}", os.urandom(700))

    def teardown(self) -> None:
        shutil.rmtree(self.base)

    @property
    def now(self) -> datetime:
        self.turn += 1
        return START + timedelta(hours=self.turn)

    @rule(name=names, size=st.integers(0, 5000))
    def change(self, name: str, size: int) -> None:
        write(self.live / name, os.urandom(size))

    @rule(name=names)
    def remove(self, name: str) -> None:
        (self.live / name).unlink(missing_ok=True)

    @rule()
    def back_up(self) -> None:
        made = run_backup(self.plan, self.storage, Progress(), now=self.now)
        self.saved[made.key] = describe(self.live)
        self.forget_pruned()

    @rule(left=st.integers(0, 40))
    def die_in_a_backup(self, left: int) -> None:
        self.storage.left = left
        before = set(self.saved)
        with contextlib.suppress(Dead, EngineError):
            run_backup(self.plan, self.storage, Progress(), now=self.now)
        self.storage.left = None
        for key in self.listed():
            if key not in before:
                self.saved[key] = describe(self.live)
        self.forget_pruned()

    @precondition(lambda self: self.saved)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.saved)))
        run_restore(self.plan, self.storage, Progress(), key=key, now=self.now)
        assert describe(self.live) == self.saved[key]
        for copy in safety_copies(self.live):
            shutil.rmtree(copy.path)

    @precondition(lambda self: len(self.saved) > 1)
    @rule(data=st.data())
    def delete_by_hand(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.saved)))
        self.storage.delete(metadata_key(key))
        del self.saved[key]

    @precondition(lambda self: self.saved)
    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        """One byte of an archive turns; whoever reads it finds it."""
        key = data.draw(st.sampled_from(sorted(self.saved)))
        content, found = self.storage.objects[key]
        at = data.draw(st.integers(0, 2**31)) % len(content)
        turned = bytearray(content)
        turned[at] ^= 1 << data.draw(st.integers(0, 7))
        self.storage.objects[key] = (bytes(turned), found)
        with pytest.raises(ArchiveError):
            run_verify(self.plan, self.storage, Progress(), key=key)
        # Put right again: what a later backup copies from a damaged one is a test of its own.
        self.storage.objects[key] = (content, found)

    @invariant()
    def what_is_listed_is_what_was_saved(self) -> None:
        assert set(self.listed()) == set(self.saved)

    @invariant()
    def nothing_lies_about(self) -> None:
        assert leftovers(self.live) == []

    @precondition(lambda self: self.saved and self.turn % 4 == 0)
    @rule()
    def compare(self) -> None:
        for key, held in self.saved.items():
            with tempfile.TemporaryDirectory(dir=self.base) as folder:
                out = Path(folder) / "out"
                run_restore_to(self.plan, self.storage, Progress(), key=key, target=out)
                assert describe(out) == held

    def listed(self) -> list[str]:
        return [one.key for one in list_backups(self.storage, self.plan)]

    def forget_pruned(self) -> None:
        """Retention may only have taken the oldest, and only as many as there are too many."""
        listed = self.listed()
        gone = sorted(set(self.saved) - set(listed))
        assert len(listed) >= min(KEPT, len(self.saved))
        assert not gone or max(gone) < min(listed)
        for key in gone:
            del self.saved[key]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 4 KiB, so that runs die between them."""
    monkeypatch.setattr("worker.engine.capture.sending.part_size", lambda *_, **__: 4096)
    monkeypatch.setattr("worker.engine.capture.run.sizes", lambda *_: Sizes(1024, 1024, 1024))


@pytest.mark.row(88)
@pytest.mark.invariant("I2", "I3", "I5", "I6", "I7")
@pytest.mark.usefixtures("small_parts")
@pytest.mark.timeout(600)
def test_whatever_happens_in_whatever_order_the_model_holds() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
