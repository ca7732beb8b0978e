"""Named places at which a test can make the process die as by a power cut.

TARKEEP_CRASH_AT=NAME kills at the first pass of the point, NAME:3 at the third. Read once at
import: unset, a crash point costs one comparison.
"""

from __future__ import annotations

import os
import signal

_NAME, _, _count = os.environ.get("TARKEEP_CRASH_AT", "").partition(":")
_left = int(_count or 1)


def crashpoint(name: str) -> None:
    """Die here by SIGKILL if this point is the chosen one."""
    if name == _NAME:
        _pass()


def _pass() -> None:
    global _left
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
