"""Small pieces put behind a large one by the server itself, through objects that pass.

A part must have 5 MiB unless it is the last one, and a copied part comes from one object. So a
small piece becomes the last part of a temporary object, behind the large one; that object is copied
into the upload, and dropped. Of what grows beyond two parts' least the front goes at once, so that
each piece moves 10 MiB inside the server at most.
"""

from __future__ import annotations

import logging
from itertools import count

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
    """Begins chains, and knows which temporary objects there are. Used from several threads."""

    def __init__(
        self, upload: Upload, storage: Storage, archive: str, stamp: dict[str, str]
    ) -> None:
        """`stamp`: object metadata that tells whose the temporary objects are."""
        self.upload, self.storage = upload, storage
        self._archive, self._stamp = archive, stamp
        self._numbers = count(1)
        self._there: set[str] = set()

    def begin(self, front: Piece) -> Chain:
        """A large piece, that others are to follow."""
        return Chain(self, front)

    def join(self, front: Piece, piece: Piece) -> Copy:
        """Both as one temporary object."""
        key = temporary_key(self._archive, next(self._numbers))
        self._there.add(key)
        with self.storage.start_upload(key, metadata=self._stamp) as upload:
            send(upload, 1, front)
            send(upload, 2, piece)
            with completing():
                found = upload.complete()
        return Copy(key, found.etag, 0, size_of(front) + size_of(piece))

    def delete(self, key: str) -> None:
        """One that cannot be deleted now is the janitor's."""
        self._there.discard(key)
        try:
            self.storage.delete(key)
        except StorageError as error:
            log.warning("the temporary object %s stays for now: %s", key, error.message)

    def drop(self) -> None:
        """No object stays."""
        for key in tuple(self._there):
            self.delete(key)


class Chain:
    """Pieces that are put behind each other: `add` some, then `end`. Used from one thread."""

    def __init__(self, joiner: Joiner, front: Piece) -> None:
        self._joiner, self._front = joiner, front
        self._object = ""  # the temporary one that the front lies in

    def add(self, piece: Piece, ready: int, number: int) -> None:
        """Put it behind. `ready`: so many bytes from the front on are part `number`, 0 for none."""
        joined = self._joiner.join(self._front, piece)
        crashpoint("backup.joined")
        self._drop()
        self._object = joined.key
        if ready:
            part, joined = joined.cut(ready)
            send(self._joiner.upload, number, part)
        self._front = joined

    def end(self, number: int) -> None:
        """What is left of the chain is part `number`."""
        send(self._joiner.upload, number, self._front)
        self._drop()

    def _drop(self) -> None:
        if self._object:
            self._joiner.delete(self._object)
        self._object = ""
