"""Everything that can go wrong in the engine, as one tree.

    EngineError                     code               exit  who can mend it
    ├── ConfigError                 CONFIG_INVALID       2   the user: a setting
    ├── SourceError                 SOURCE_*             3   the user: the data folder
    ├── StorageError                STORAGE_*            4   the storage or its settings
    ├── ArchiveError                ARCHIVE_*            5   nobody: choose another backup
    │   └── KeyMismatch             ENCRYPTION_KEY_*     6   the user: the encryption key
    ├── TargetError                 TARGET_*             7   the user: space or rights at the target
    ├── JobStopped                  CANCELLED, ...       8   nobody: asked for, or the lease lost
    ├── InstanceError               INSTANCES_*,         9   the user: the instances or their driver
    │                               RESTORE_UNHEALTHY
    └── HookError                   HOOK_FAILED         10   the user: their own hook command

Each error is a code for programs, a sentence for people and a hint that says what to do next.
Library errors (botocore, OSError, zlib, cryptography) are turned into these at the edge that
calls the library and nowhere else.
"""

from __future__ import annotations


class EngineError(Exception):
    """Base of all errors that the engine raises on purpose.

    `code` is stable and upper case, `message` one sentence, `hint` what to do next.
    None of them ever holds a secret. `passing`: the trouble may be over soon, and the same run
    may go well then.
    """

    passing = False
    exit_code = 1
    default_code = "ENGINE_FAILED"
    default_hint = ""

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint
        self.code = code or self.default_code

    def as_dict(self) -> dict[str, str]:
        """`{code, message, hint}`, the shape of every error answer."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class ConfigError(EngineError):
    exit_code = 2
    default_code = "CONFIG_INVALID"


class SourceError(EngineError):
    exit_code = 3
    default_code = "SOURCE_UNREADABLE"


class StorageError(EngineError):
    exit_code = 4
    default_code = "STORAGE_FAILED"


class ArchiveError(EngineError):
    exit_code = 5
    default_code = "ARCHIVE_DAMAGED"
    default_hint = "It was damaged or changed in the bucket. Choose another backup."


class KeyMismatch(ArchiveError):
    exit_code = 6
    default_code = "ENCRYPTION_KEY_WRONG"


class TargetError(EngineError):
    exit_code = 7
    default_code = "TARGET_UNWRITABLE"


class JobStopped(EngineError):
    """The run was told to stop: by a person, by a lost lease, by the stall watchdog, by a drain."""

    exit_code = 8
    default_code = "CANCELLED"


class InstanceError(EngineError):
    exit_code = 9
    default_code = "INSTANCES_FAILED"


class HookError(EngineError):
    exit_code = 10
    default_code = "HOOK_FAILED"
