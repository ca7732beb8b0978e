"""The parts of the service itself, as the Procfile names them, and when each is ready."""

from __future__ import annotations

import os
import queue
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from honcho.colour import get_colours
from honcho.environ import parse_procfile
from honcho.printer import Message

from launcher.child import Child

_WORKER_READY = re.compile(r"\w+@\S+ ready\.")


def children_of(home: Path, env: Mapping[str, str], events: queue.Queue[Message]) -> list[Child]:
    commands = parse_procfile((home / "Procfile").read_text()).processes
    colours = get_colours()
    return [
        Child(name, command, home=home, env=env, colour=next(colours), events=events)
        for name, command in commands.items()
    ]


def environment(port: int, servers: Mapping[str, str]) -> dict[str, str]:
    """What the children need beyond our own environment: servers, port, this Python's programs."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {
        **servers,
        "PORT": str(port),
        "PATH": path,
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "backup_project.settings",
    }


def readiness(port: int) -> dict[str, Callable[[Child], bool]]:
    return {
        "web": lambda child: _web_answers(port),
        "worker": _has_line(_WORKER_READY),
        "control": _has_line(_WORKER_READY),
        "beat": _has_line(re.compile(r"beat: Starting")),
    }


def _has_line(pattern: re.Pattern[str]) -> Callable[[Child], bool]:
    return lambda child: child.said(pattern)


def _web_answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
