"""What the disk says while we restore to it, as errors of ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from worker.engine.errors import TargetError

_UNCHANGED = "The data folder was not changed."
_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def as_target_error(doing: str) -> Iterator[None]:
    """Turn an `OSError` inside the block into a `TargetError` that says what was being done."""
    try:
        yield
    except OSError as error:
        raise target_error(doing, error) from error


def target_error(doing: str, error: OSError) -> TargetError:
    if error.errno in _SPACE:
        return no_space(f"The disk is full: {doing} stopped")
    return TargetError(
        f"{doing[:1].upper()}{doing[1:]} failed: {error.strerror}",
        hint="Check the folder's rights and the disk's health, then restore again.",
    )


def no_space(message: str) -> TargetError:
    return TargetError(
        message, hint=f"{_UNCHANGED} Free some space, then restore again.", code="TARGET_NO_SPACE"
    )
