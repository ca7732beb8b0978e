"""The settings that only the web part has: which names and origins it answers to.

Read with the same reader as all others (`worker.engine.settings`), from the same places.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from worker.engine.environment import Environment, Problem, Variable
from worker.engine.settings import VARIABLES
from worker.engine.settings_report import InEffect, report
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


def networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Addresses or networks with commas between; one that holds all would trust everybody."""
    try:
        found = tuple(ip_network(part) for part in _parts(value))
    except ValueError:
        found = (ip_network("::/0"),) if value else ()
    if any(network.prefixlen == 0 for network in found):
        raise BadValue(
            "must be addresses or networks with commas between",
            "As in 127.0.0.1,172.18.0.0/16; never 0.0.0.0/0.",
        )
    return found


def rate(value: str) -> int:
    """A whole number of requests."""
    if not (value.isascii() and value.isdecimal() and len(value) <= 7):
        raise BadValue("must be a whole number", "Requests a minute, as in 600; 0 for no limit.")
    return int(value)


ALLOWED_HOSTS: Final = Variable(
    "TARKEEP_ALLOWED_HOSTS", hosts, "localhost,127.0.0.1,[::1]", "names the web part answers to"
)
TRUSTED_ORIGINS: Final = Variable(
    "TARKEEP_TRUSTED_ORIGINS", origins, "", "origins beyond its own that may send forms"
)
TRUSTED_PROXIES: Final = Variable(
    "TARKEEP_TRUSTED_PROXIES", networks, "", "reverse proxies whose X-Forwarded headers count"
)
API_RATE: Final = Variable(
    "TARKEEP_API_RATE", rate, "600", "API requests a minute for each caller; 0: no limit"
)
WEB_VARIABLES: Final = (ALLOWED_HOSTS, TRUSTED_ORIGINS, TRUSTED_PROXIES, API_RATE)


@dataclass(frozen=True)
class WebSettings:
    allowed_hosts: tuple[str, ...]
    trusted_origins: tuple[str, ...]
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    api_rate: int
    problems: tuple[Problem, ...]


def read_web_settings(base_dir: Path) -> WebSettings:
    """Never raises: a wrong value leaves the default in place and is named in `problems`."""
    env = Environment.of_process(base_dir)
    allowed, trusted = env.get(ALLOWED_HOSTS), env.get(TRUSTED_ORIGINS)
    proxies, api_rate = env.get(TRUSTED_PROXIES), env.get(API_RATE)
    ours = {variable.name for variable in WEB_VARIABLES}
    problems = tuple(problem for problem in env.problems if problem.variable in ours)
    return WebSettings(allowed, trusted, proxies, api_rate, problems)


def in_effect(base_dir: Path) -> tuple[InEffect, ...]:
    """All settings there are, the web part's last, as this process has them."""
    env = Environment.of_process(base_dir)
    every = (*VARIABLES, *WEB_VARIABLES)
    for variable in every:
        env.get(variable)  # what is wrong is then in `problems`
    return report(env, every)


def _parts(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())
