"""What a server says when it does not copy, and what follows from that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from worker.engine.errors import StorageError
from worker.engine.storage import never_came

COPY_REFUSED, COPY_FAILED = "COPY_REFUSED", "COPY_FAILED"


class NotReused(Exception):
    """Nothing is taken over: `code` and the exception's text say why.

    `generation` of the backup that is made instead; 0 but while copying is not tried again.
    """

    def __init__(self, code: str, reason: str, generation: int = 0) -> None:
        super().__init__(reason)
        self.code, self.generation = code, generation


@contextmanager
def copying() -> Iterator[None]:
    """Trouble with a copy means that all is packed anew: begin another upload then.

    Raises `NotReused`; what says nothing of the server's abilities stays a `StorageError`.
    """
    try:
        yield
    except StorageError as error:
        if never_came(error):
            raise
        never = error.code == "STORAGE_NO_RANGE_COPY"
        raise NotReused(COPY_REFUSED if never else COPY_FAILED, error.message) from error


@contextmanager
def completing() -> Iterator[None]:
    """Some servers tell only at the end that they do not take such parts. Raises `NotReused`."""
    try:
        yield
    except StorageError as error:
        if never_came(error):
            raise
        raise NotReused(COPY_FAILED if error.passing else COPY_REFUSED, error.message) from error
