"""The settings that only the web part has: which names and origins it answers to.

Read with the same reader as all others (`worker.engine.settings`), from the same places.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from worker.engine.environment import Environment, Problem, Variable
from worker.engine.values import BadValue


def hosts(value: str) -> tuple[str, ...]:
    """Host names with commas between; `*` alone would let any web page name this server."""
    names = _parts(value)
    if any(name == "*" or "/" in name or " " in name for name in names):
        raise BadValue(
            "must be host names with commas between",
            "As in backup.example.com,localhost; no http://, no path, and never *.",
        )
    return names


def origins(value: str) -> tuple[str, ...]:
    """Origins as a browser writes them: scheme, host and port, no path."""
    found = _parts(value)
    for origin in found:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
            raise BadValue(
                "must be origins with commas between", "As in https://backup.example.com."
            )
    return found


ALLOWED_HOSTS: Final = Variable(
    "TARKEEP_ALLOWED_HOSTS", hosts, "localhost,127.0.0.1,[::1]", "names the web part answers to"
)
TRUSTED_ORIGINS: Final = Variable(
    "TARKEEP_TRUSTED_ORIGINS", origins, "", "origins beyond its own that may send forms"
)
WEB_VARIABLES: Final = (ALLOWED_HOSTS, TRUSTED_ORIGINS)


@dataclass(frozen=True)
class WebSettings:
    allowed_hosts: tuple[str, ...]
    trusted_origins: tuple[str, ...]
    problems: tuple[Problem, ...]


def read_web_settings(base_dir: Path) -> WebSettings:
    """Never raises: a wrong value leaves the default in place and is named in `problems`."""
    env = Environment.of_process(base_dir)
    allowed, trusted = env.get(ALLOWED_HOSTS), env.get(TRUSTED_ORIGINS)
    ours = {variable.name for variable in WEB_VARIABLES}
    problems = tuple(problem for problem in env.problems if problem.variable in ours)
    return WebSettings(allowed, trusted, problems)


def _parts(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())
