"""A plain backup where backups are encrypted is told of: row 74, plaintext downgrade."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from tests.support.memory_storage import MemoryStorage
from worker.engine.archive.fetch import open_file
from worker.engine.archive.plain import warnings_of
from worker.engine.backup import run_backup
from worker.engine.catalogue import find_backup, list_backups
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError
from worker.engine.naming import index_key, metadata_key
from worker.engine.restore import run_restore
from worker.engine.restore_part import run_restore_part
from worker.engine.verify import run_verify

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PASSPHRASE = "correct horse battery staple, and then some"


@pytest.fixture
def plan(tmp_path: Path) -> PlanConfig:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "state.json").write_text("saved")
    return PlanConfig(data_dir=tmp_path / "data", temp_dir=tmp_path / "temp")


@pytest.fixture
def storage(plan: PlanConfig) -> MemoryStorage:
    """A bucket with one plain backup."""
    storage = MemoryStorage()
    run_backup(plan, storage, Heard(), now=NOW)
    return storage


@pytest.fixture
def sealing(plan: PlanConfig) -> PlanConfig:
    return dataclasses.replace(plan, encryption_key=PASSPHRASE)


def test_verify_and_restore_warn_of_it(sealing: PlanConfig, storage: MemoryStorage) -> None:
    heard = Heard()
    run_verify(sealing, storage, heard, key="latest")
    run_restore(sealing, storage, heard, key="latest", now=NOW)
    assert heard.codes == ["NOT_ENCRYPTED"] * 2


@pytest.mark.parametrize("indexed", [True, False])
def test_a_part_of_it_warns_too(indexed: bool, sealing: PlanConfig, storage: MemoryStorage) -> None:
    backup, heard = find_backup(storage, sealing, "latest"), Heard()
    if not indexed:
        storage.delete(index_key(backup.key))
    done = run_restore_part(sealing, storage, heard, key="latest", words=["state.json"], now=NOW)
    assert (heard.codes, done.warnings) == (["NOT_ENCRYPTED"], 1)
    with open_file(storage, sealing, backup, b"state.json", heard) as found:
        assert b"".join(found.chunks) == b"saved"
    assert heard.codes == ["NOT_ENCRYPTED"] * 2


def test_the_list_tells_which(sealing: PlanConfig, storage: MemoryStorage) -> None:
    run_backup(sealing, storage, Heard(), now=NOW + timedelta(days=1))
    told = [
        [warning.code for warning in warnings_of(sealing, backup)]
        for backup in list_backups(storage, sealing)
    ]
    assert told == [[], ["NOT_ENCRYPTED"]]


def test_without_a_key_nothing_is_said(plan: PlanConfig, storage: MemoryStorage) -> None:
    heard = Heard()
    run_verify(plan, storage, heard, key="latest")
    assert heard.codes == []
    assert [warnings_of(plan, backup) for backup in list_backups(storage, plan)] == [[]]


def test_an_encrypted_backup_replaced_by_a_plain_one_is_refused_or_told_of(
    sealing: PlanConfig, plan: PlanConfig, storage: MemoryStorage
) -> None:
    """Whoever puts index and metadata there too is met by a check, and a restore tells of it."""
    plain = find_backup(storage, plan, "latest").key
    forged = b"".join(storage.get(plain))
    sealed = run_backup(sealing, storage, Heard(), now=NOW + timedelta(days=1)).key
    storage.put(sealed, forged)
    with pytest.raises(ArchiveError, match="its metadata says"):
        run_verify(sealing, storage, Heard(), key=sealed)
    told = json.loads(storage.get_bytes(metadata_key(sealed), limit=10**6))
    digest = hashlib.sha256(forged).hexdigest()
    told |= {"checksum": f"sha256:{digest}", "size": len(forged)}
    storage.put(metadata_key(sealed), json.dumps(told).encode())
    with pytest.raises(ArchiveError, match="says it is encrypted"):
        run_verify(sealing, storage, Heard(), key=sealed)
    for name in (index_key, metadata_key):
        storage.put(name(sealed), storage.get_bytes(name(plain), limit=10**6))
    for run in (run_verify, partial(run_restore, now=NOW)):
        with pytest.raises(ArchiveError, match="under another name"):
            run(sealing, storage, Heard(), key=sealed)
    told = json.loads(storage.get_bytes(metadata_key(plain), limit=10**6))
    told["timestamp"] = (NOW + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    storage.put(metadata_key(sealed), json.dumps(told).encode())
    with pytest.raises(ArchiveError, match="the one of another backup"):
        run_verify(sealing, storage, Heard(), key=sealed)
    heard = Heard()
    run_restore(sealing, storage, heard, key=sealed, now=NOW)
    assert "NOT_ENCRYPTED" in heard.codes
