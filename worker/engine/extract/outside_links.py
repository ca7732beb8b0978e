"""Which symlinks that lead out of the data folder come back."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class OutsideLinks:
    """`every`: all of them, or else those alone that the folder `as_in` has already."""

    every: bool
    as_in: Path | None = None

    def __call__(self, path: bytes, target: bytes) -> bool:
        with contextlib.suppress(OSError):
            if self.as_in and not self.every:
                return os.fsencode(Path(self.as_in, os.fsdecode(path)).readlink()) == target
            return self.every
        return False
