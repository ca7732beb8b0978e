"""Finds the upload of a run that broke off, and makes what the server has of it an object.

Ranges can only be copied from objects. So the upload is closed over its first parts, as many
as the server lists without a gap; the object has the name of a backup that never came to be, no
metadata, and is deleted as soon as the new upload has what it needs of it. A run forgets its
journal before it asks for its own archive: so a journal is never that of a backup.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from worker.engine.config import PlanConfig
from worker.engine.errors import StorageError
from worker.engine.naming import archive_of, metadata_key
from worker.engine.resume.journal import PREFIX, VERSION, line
from worker.engine.resume.layout import lines
from worker.engine.storage import NotFound, Part, Storage, StoredObject

_ABANDONED = 24 * 3600  # seconds: by then the janitor has aborted the upload
log = logging.getLogger(__name__)


def about(plan: PlanConfig) -> dict[str, str]:
    """What says whose journal it is."""
    return {"plan": plan.name, "prefix": plan.prefix, "dataDir": str(plan.data_dir.absolute())}


@dataclass
class Left:
    """The journal of a run that is dead, ours until it is closed."""

    path: Path
    said: dict[str, Any] = field(repr=False)
    descriptor: int
    parts: list[Part] = field(default_factory=list, repr=False)
    found: StoredObject | None = None

    @property
    def key(self) -> str:
        return str(self.said["key"])

    @property
    def upload_id(self) -> str:
        return str(self.said["uploadId"])

    @property
    def size(self) -> int:
        """Bytes that the server has of it, from the first on."""
        return self.found.size if self.found else sum(part.size for part in self.parts)

    @property
    def sent(self) -> int:
        """Those of them that would have to be sent again."""
        return self.size - int(self.said["start"])

    def look(self, storage: Storage) -> None:
        """Ask the server what it has."""
        try:
            listed = sorted(storage.upload_parts(self.key, self.upload_id), key=_number)
            whole = [part for n, part in enumerate(listed, 1) if part.number == n]
            self.parts = list(self._with_checksums(whole))
        except NotFound:
            self.found = self._closed(storage)

    def close_over(self, storage: Storage) -> StoredObject:
        """The parts as an object. `StorageError`."""
        if self.found is None:
            with self.path.open("ab") as file:
                file.write(line({"closed": self.size}))
            self.found = storage.close_upload(self.key, self.upload_id, self.parts)
        return self.found

    def drop(self, storage: Storage) -> None:
        """Neither upload, nor object, nor journal is wanted any more; trouble is the janitor's."""
        try:
            storage.abort_upload(self.key, self.upload_id)
            if self.found and not _exists(storage, metadata_key(self.key)):
                storage.delete(self.key)
        except StorageError as error:
            log.warning("%s was not cleared away: %s", self.key, error.message)
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1

    def _with_checksums(self, parts: list[Part]) -> Iterator[Part]:
        """Up to the first one of which none is known, if they have any: not every server lists
        them."""
        noted = {said["p"]: str(said["crc32"]) for said in lines(self.path) if "p" in said}
        for part in parts:
            crc32 = noted.get(part.number, part.crc32)
            if noted and not crc32:
                return
            yield replace(part, crc32=crc32)

    def _closed(self, storage: Storage) -> StoredObject | None:
        """The object that an earlier run made of it, and did not get to use."""
        sizes = [said["closed"] for said in lines(self.path) if "closed" in said]
        with contextlib.suppress(NotFound):
            found = storage.head(self.key)
            if found.size in sizes and not _exists(storage, metadata_key(self.key)):
                return found
        return None


def left_over(plan: PlanConfig) -> Iterator[Left]:
    """Journals of this plan's runs that died. Close each, or drop it."""
    for path in sorted(plan.temp_dir.glob(f"{PREFIX}*")):
        with contextlib.suppress(OSError):  # its run lives, or it is gone
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                said = _read(plan, path)
            except BaseException:
                os.close(descriptor)
                raise
            if said is not None:
                yield Left(path, said, descriptor)
                continue
            os.close(descriptor)
            if path.stat().st_mtime < time.time() - _ABANDONED:
                path.unlink(missing_ok=True)


def known_salts(plan: PlanConfig) -> list[tuple[bytes, bytes]]:
    """Salts and key ids of runs that broke off: without a backup yet, nothing else tells them."""
    found = []
    for path in plan.temp_dir.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said = _read(plan, path)
            if said and said["salt"]:
                found.append((bytes.fromhex(said["salt"]), bytes.fromhex(said["facts"]["keyId"])))
    return found


def _read(plan: PlanConfig, path: Path) -> dict[str, Any] | None:
    """What it says of its upload, if that is one of this plan's."""
    said = next(lines(path), {})
    ours = said.get("version") == VERSION and about(plan).items() <= said.items()
    return said if ours and archive_of(plan, str(said.get("key"))) == said["key"] else None


def _number(part: Part) -> int:
    return part.number


def _exists(storage: Storage, key: str) -> bool:
    try:
        storage.head(key)
    except NotFound:
        return False
    return True
