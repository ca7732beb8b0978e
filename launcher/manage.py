"""Runs `manage.py` commands that must be done before the service starts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from launcher.errors import LaunchError

_SHOWN_LINES = 6


@dataclass(frozen=True)
class Administrator:
    """`password` is there once only, when the account was just made."""

    username: str
    password: str | None = field(repr=False)


def migrate(home: Path, env: Mapping[str, str]) -> None:
    _manage(home, env, "migrate", "--no-input", "--verbosity", "0", limit=600)


def first_administrator(home: Path, env: Mapping[str, str]) -> Administrator:
    """Make the first administrator where there is none."""
    answer = json.loads(_manage(home, env, "create_first_admin", limit=60).splitlines()[-1])
    return Administrator(answer["username"], answer["password"])


def _manage(home: Path, env: Mapping[str, str], *command: str, limit: float) -> str:
    """Standard output of the command. It has its own session: Ctrl-C lets a migration finish."""
    argv = [sys.executable, str(home / "manage.py"), *command]
    try:
        done = subprocess.run(
            argv,
            cwd=home,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LaunchError(f"manage.py {command[0]} took longer than {limit:.0f} seconds") from None
    if done.returncode:
        shown = "\n".join(done.stderr.splitlines()[-_SHOWN_LINES:])
        raise LaunchError(f"manage.py {command[0]} failed with exit code {done.returncode}", shown)
    return done.stdout
