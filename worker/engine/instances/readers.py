"""Readers of the settings of instances and hooks: text in, a checked value out, or `BadValue`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from worker.engine.values import BadValue, demand_reachable

DRIVERS: Final = ("docker", "systemd", "supervisor", "command", "http")

# None begins with a dash: no id can turn into an option of a command.
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,199}")
_PATTERN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@*?\\-]{0,199}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*(=[!-~]*)?")
_PRINTABLE = re.compile(r"[!-~]+")


def driver_names(text: str) -> tuple[str, ...]:
    """`docker,http`; `none` alone is none at all."""
    names = tuple(part.strip().lower() for part in text.split(","))
    hint = f"Choose none, or some of {', '.join(DRIVERS)} with commas between."
    if names == ("none",):
        return ()
    if not set(names) <= set(DRIVERS) or len(set(names)) < len(names):
        raise BadValue("must name drivers, each once", hint)
    return names


def one_of(*choices: str) -> Callable[[str], str]:
    """A reader that takes these words alone, in any case."""
    by_fold = {choice.lower(): choice for choice in choices}

    def read(text: str) -> str:
        if text.lower() not in by_fold:
            raise BadValue(f"must be {' or '.join(choices)}", f"Write {choices[0]}.")
        return by_fold[text.lower()]

    return read


def argv(text: str) -> tuple[str, ...]:
    """A command line as a shell would split it, and nothing else a shell would do."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise BadValue("has a quotation that does not end", "Close it.", private=True) from error
    if text and (not words or "\0" in text):
        raise BadValue("must be a command", "As in: /usr/local/bin/stop-it --now", private=True)
    return words


def ids(text: str) -> tuple[str, ...]:
    """Names with commas or blanks between."""
    return _names(text, _ID, "Letters, digits and _ . : @ - ; commas between; no dash in front.")


def patterns(text: str) -> tuple[str, ...]:
    """The same, where `*` and `?` may stand for some or one of the letters."""
    return _names(text, _PATTERN, "As in gateway, gateway@*.service or gateway:*.")


def label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise BadValue("must be a container's label", "As in tarkeep.stop=true.")
    return text


def web_address(text: str) -> str:
    """An http(s) address that may hold `{id}`; no user name, no password, no fragment."""
    hint = "Write it whole, as in http://127.0.0.1:8080/instances/{id}/stop."
    if not text:
        return ""
    if "@" in text.partition("?")[0].partition("//")[2].partition("/")[0]:
        raise BadValue("must hold no user name or password", hint, private=True)
    _check_address(text, {"http", "https"}, hint)
    return text


def manager_address(text: str) -> str:
    """Where a service manager listens: `unix:///path`, `http://host:port`, `tcp://host:port`."""
    hint = "As in unix:///var/run/docker.sock or tcp://127.0.0.1:2375; no TLS, no ssh."
    if text.startswith("unix:///"):
        return text
    if "@" in text:
        raise BadValue("must hold no user name or password", hint, private=True)
    _check_address(text, {"http", "tcp"}, hint)
    return "http" + text.rstrip("/").removeprefix("tcp").removeprefix("http")


def header_secret(text: str) -> str:
    if text and not _PRINTABLE.fullmatch(text):
        raise BadValue("holds characters that no token has", "Look for blanks or line ends.")
    return text


def _names(text: str, pattern: re.Pattern[str], hint: str) -> tuple[str, ...]:
    found = tuple(part for part in re.split(r"[,\s]+", text) if part)
    if not all(pattern.fullmatch(one) for one in found) or len(set(found)) < len(found):
        raise BadValue("must be names, each once", hint)
    return found


def _check_address(text: str, schemes: set[str], hint: str) -> None:
    complaint = f"must be an address that begins with {' or '.join(sorted(schemes))}"
    try:
        parts = urlsplit(text)
        good = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError as error:  # a port that is no number, a bracket left open
        raise BadValue(complaint, hint, private=True) from error
    if not good or parts.fragment or not _PRINTABLE.fullmatch(text):
        raise BadValue(complaint, hint, private=True)
    demand_reachable(parts.hostname or "")
