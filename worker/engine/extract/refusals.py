"""The ways an archive is refused, each with its code and hint."""

from __future__ import annotations

from worker.engine.errors import ArchiveError

_SHOWN = 200
_HINT_OTHER = "Nothing was changed. Choose another backup."


def shown(name: bytes) -> str:
    """A member's name for people: control characters escaped, cut after 200 characters."""
    text = name[: _SHOWN * 4].decode("utf-8", "backslashreplace")
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return safe if len(safe) <= _SHOWN else safe[:_SHOWN] + "…"


def damaged(what: str) -> ArchiveError:
    return ArchiveError(f"The archive is damaged: {what}", hint=_HINT_OTHER)


def truncated() -> ArchiveError:
    return ArchiveError("The archive ends too early", hint=_HINT_OTHER, code="ARCHIVE_TRUNCATED")


def hostile(what: str) -> ArchiveError:
    return ArchiveError(
        f"The archive was refused: {what}",
        hint="Nothing was changed. No backup holds this: find out who can write to the bucket.",
        code="ARCHIVE_HOSTILE",
    )


def unsupported(what: str) -> ArchiveError:
    return ArchiveError(
        f"The archive uses something that cannot be restored here: {what}",
        hint="Nothing was changed. Unpack this archive by hand with GNU tar.",
        code="FORMAT_UNSUPPORTED",
    )
