"""Small pieces put behind a large one by the server itself, through objects that pass.

A part must have 5 MiB unless it is the last one, and a copied part comes from one object. So a
small piece becomes the last part of a temporary object, behind the large one; that object is copied
into the upload, and dropped. Of what grows beyond two parts' least the front goes at once, so that
each piece moves 10 MiB inside the server at most.
"""

from __future__ import annotations

import logging

from worker.engine.capture.pieces import Copy, Piece, size_of
from worker.engine.crashpoints import crashpoint
from worker.engine.errors import StorageError
from worker.engine.naming import temporary_key
from worker.engine.reuse.refused import completing, copying
from worker.engine.storage import Storage, Upload

log = logging.getLogger(__name__)


def send(upload: Upload, number: int, piece: Piece) -> None:
    """One part, from here or from an object of the bucket. Raises `StorageError`, `NotReused`."""
    if not isinstance(piece, Copy):
        upload.send_part(number, piece)
        return
    with copying():
        part = upload.copy_part(
            number, piece.key, etag=piece.etag, first=piece.start, last=piece.end - 1
        )
        if part.size != piece.size:
            raise StorageError("The storage server copied another number of bytes than asked for.")


class Joiner:
    """One chain of pieces at a time: `begin`, `add` some, `end`. Called by one thread only."""

    def __init__(
        self, upload: Upload, storage: Storage, archive: str, stamp: dict[str, str]
    ) -> None:
        """`stamp`: object metadata that tells whose the temporary objects are."""
        self._upload, self._storage = upload, storage
        self._archive, self._stamp, self._count = archive, stamp, 0
        self._front: Piece = bytearray()
        self._object = ""  # the temporary one that the front lies in

    def begin(self, front: Piece) -> None:
        """A large piece, that others are to follow."""
        self._front = front

    def add(self, piece: Piece, ready: int, number: int) -> None:
        """Put it behind. `ready`: so many bytes from the front on are part `number`, 0 for none."""
        self._count += 1
        before, key = self._object, temporary_key(self._archive, self._count)
        self._object = key
        joined = self._join(key, piece)
        crashpoint("backup.joined")
        self._delete(before)
        if ready:
            part, joined = joined.cut(ready)
            send(self._upload, number, part)
        self._front = joined

    def end(self, number: int) -> None:
        """What is left of the chain is part `number`."""
        send(self._upload, number, self._front)
        self.drop()

    def drop(self) -> None:
        """No object stays."""
        self._delete(self._object)
        self._object = ""

    def _delete(self, key: str) -> None:
        """One that cannot be deleted now is the janitor's."""
        if not key:
            return
        try:
            self._storage.delete(key)
        except StorageError as error:
            log.warning("the temporary object %s stays for now: %s", key, error.message)

    def _join(self, key: str, piece: Piece) -> Copy:
        with self._storage.start_upload(key, metadata=self._stamp) as upload:
            send(upload, 1, self._front)
            send(upload, 2, piece)
            with completing():
                found = upload.complete()
        return Copy(key, found.etag, 0, size_of(self._front) + size_of(piece))
