"""User and group names for tar headers, looked up once each."""

from __future__ import annotations

import grp
import pwd
from functools import lru_cache


@lru_cache(maxsize=4096)
def user_name(uid: int) -> bytes:
    """The user's name, or an empty string where this machine knows none."""
    try:
        return pwd.getpwuid(uid).pw_name.encode()
    except KeyError:
        return b""


@lru_cache(maxsize=4096)
def group_name(gid: int) -> bytes:
    try:
        return grp.getgrgid(gid).gr_name.encode()
    except KeyError:
        return b""
