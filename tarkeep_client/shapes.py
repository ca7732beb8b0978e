"""The parts of the API's answers that most programs need. docs/api.md has all fields."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Failure(TypedDict):
    code: str
    message: str
    hint: str


class Job(TypedDict):
    """One run. `state`: PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED or LOST."""

    id: str
    kind: str
    state: str
    revision: int
    phase: str
    progress: dict[str, Any]
    error: Failure | None
    backupKey: str
    result: dict[str, Any]
    createdAt: str
    finishedAt: str | None


class Entry(TypedDict):
    """A file, folder or link in a backup. `path64`: where its path is no UTF-8."""

    path: str
    path64: str | None
    name: str
    kind: str
    size: int
    mode: str
    modified: str | None
    note: str | None


class Token(TypedDict):
    """`token`, its text, is there when it was just made."""

    id: str
    name: str
    role: str
    permissions: list[str]
    owner: str | None
    expiresAt: str | None
    lastUsedAt: str | None
    revokedAt: str | None
    token: NotRequired[str]


class Backup(TypedDict):
    """`metadata` is None for an archive that somebody put there by hand."""

    key: str
    lastModified: str
    size: int
    metadata: dict[str, Any] | None
