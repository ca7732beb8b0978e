"""From the passphrase in `BACKUP_ENCRYPTION_KEY` to the key that seals frames.

Master key = scrypt(passphrase, salt); RFC 7914. The salt is kept per deployment and written
in every frame, so the passphrase and any one frame are enough to open an archive. The key id
names a master key without telling anything about it: a wrong key is said before any download.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from worker.engine.errors import ArchiveError, KeyMismatch

SALT_SIZE = 16
KEY_SIZE = 32
KEY_ID_SIZE = 8
_KEY_ID_INFO = b"tarkeep/v1/key-id"
_one_at_a_time = Lock()
_latest: KdfParams | None = None
_drawn: list[KdfParams] = []


@dataclass(frozen=True)
class KdfParams:
    """scrypt's cost: N = 2 ** log_n, block size r, parallelism p, and the 16-byte salt."""

    salt: bytes
    log_n: int = 17
    r: int = 8
    p: int = 1

    def check(self) -> None:
        """Refuse costs that only a hostile archive would ask for (over 256 MiB of memory)."""
        if not (10 <= self.log_n <= 18 and 1 <= self.r <= 8 and 1 <= self.p <= 4):
            raise ArchiveError(
                "The archive asks for key derivation costs out of bounds.",
                code="FORMAT_UNSUPPORTED",
                hint="It was not written by Tarkeep, or was tampered with.",
            )


@dataclass(frozen=True)
class MasterKey:
    """A derived key with the parameters that derived it. `key_id` is 8 bytes."""

    params: KdfParams
    key_id: bytes
    secret: bytes = field(repr=False)


def new_params() -> KdfParams:
    return KdfParams(salt=os.urandom(SALT_SIZE))


def draw_params() -> KdfParams:
    """In advance, for whoever asks for new ones next: `next_params`."""
    params = new_params()
    _drawn.append(params)
    return params


def next_params() -> KdfParams:
    """Those that were drawn in advance, each once; else new ones."""
    return _drawn.pop() if _drawn else new_params()


def derive(passphrase: str, params: KdfParams) -> MasterKey:
    """About 0.4 s and 128 MiB at the default cost; the last few results are kept, and who asks for
    one that is under way waits for it."""
    params.check()
    # The cache is keyed by a digest so that it does not keep the passphrase itself.
    digest = hashlib.sha256(passphrase.encode()).digest()
    with _one_at_a_time:
        global _latest
        _latest = params
        return _derive(_Secret(digest, passphrase.encode()), params)


def latest_params() -> KdfParams | None:
    """What this process has asked a key for last."""
    return _latest


@dataclass(frozen=True)
class _Secret:
    digest: bytes = field(repr=False)
    value: bytes = field(repr=False, compare=False)


@lru_cache(maxsize=8)
def _derive(passphrase: _Secret, params: KdfParams) -> MasterKey:
    kdf = Scrypt(salt=params.salt, length=KEY_SIZE, n=2**params.log_n, r=params.r, p=params.p)
    secret = kdf.derive(passphrase.value)
    expand = HKDFExpand(algorithm=SHA512(), length=KEY_ID_SIZE, info=_KEY_ID_INFO)
    return MasterKey(params, expand.derive(secret), secret)


def find_key(passphrases: tuple[str, ...], params: KdfParams, key_id: bytes) -> MasterKey:
    """The master key among `passphrases` that bears `key_id`. Raises `KeyMismatch`."""
    if not passphrases:
        raise KeyMismatch(
            "The archive is encrypted and no key is set.",
            code="ENCRYPTION_KEY_MISSING",
            hint="Set BACKUP_ENCRYPTION_KEY to the key that the backup was made with.",
        )
    for passphrase in passphrases:
        master = derive(passphrase, params)
        if master.key_id == key_id:
            return master
    raise KeyMismatch(
        "The archive was encrypted with another key.",
        code="ENCRYPTION_KEY_WRONG",
        hint="Set BACKUP_ENCRYPTION_KEY to the key of that time, or add it to "
        "BACKUP_ENCRYPTION_KEY_PREVIOUS.",
    )
