"""Readers of single settings: text in, a checked value out, `BadValue` for anything odd.

They are strict on purpose. A setting that is almost right is named, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pathspec import GitIgnoreSpec

from worker.engine import schedule
from worker.engine.addresses import address_of, is_forbidden
from worker.engine.errors import ConfigError

MIN_SECRET_LENGTH = 32

_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_REGION = re.compile(r"[A-Za-z0-9-]{1,63}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_HOST = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
_PREFIX_PART = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*")
_STORAGE_CLASS = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_SSE = re.compile(r"AES256|aws:kms(:[!-~]{1,300})?")
_RATE = re.compile(r"([0-9]{1,9})([KMG]?)")
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
MIN_RATE = 16 * 1024
_PRINTABLE = re.compile(r"[!-~]+")


class BadValue(Exception):
    """`complaint` continues a sentence that begins with the setting's name.

    `private`: the value may hold a secret and must not be quoted.
    """

    def __init__(self, complaint: str, hint: str, *, private: bool = False) -> None:
        super().__init__(complaint)
        self.complaint = complaint
        self.hint = hint
        self.private = private


def optional(read: Callable[[str], str]) -> Callable[[str], str]:
    """The same reader, for a setting that may be left empty."""
    return lambda value: read(value) if value else ""


def flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise BadValue("must be true or false", "Write true, false, 1 or 0.")
    return _FLAGS[text.lower()]


def optional_flag(text: str) -> bool | None:
    """A flag, or None for a setting that may be left empty."""
    return flag(text) if text else None


def one_of(*words: str) -> Callable[[str], str]:
    """A reader of one word out of a few."""

    def read(text: str) -> str:
        if text not in words:
            raise BadValue(f"must be one of: {', '.join(words)}", f"Write {' or '.join(words)}.")
        return text

    return read


def patterns(text: str) -> tuple[str, ...]:
    """Gitignore patterns, with commas or line ends between."""
    found = tuple(part.strip() for part in re.split(r"[,\n]", text) if part.strip())
    try:
        GitIgnoreSpec.from_lines(found)
    except ValueError as error:
        raise BadValue(f"has a pattern that cannot be read: {error}", "See gitignore(5).") from None
    return found


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """A reader of plain decimal numbers from `low` to `high`."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise BadValue(
                f"must be a whole number from {low} to {high}", "Write digits alone, as in 6."
            )
        return int(text)

    return read


def number(low: float, high: float) -> Callable[[str], float]:
    """A reader of decimal numbers from `low` to `high`, with a dot if they have a fraction."""

    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not low <= float(text) <= high:
            raise BadValue(
                f"must be a number from {low:g} to {high:g}", "Write digits, as in 6 or 0.5."
            )
        return float(text)

    return read


def path(value: str) -> Path:
    if "\0" in value:
        raise BadValue("must be a path", "Write the path of a folder, such as ./data.")
    try:
        return Path(value).expanduser()
    except RuntimeError as error:  # ~nobody
        raise BadValue("names a home that there is not", "Write the whole path.") from error


def optional_path(value: str) -> Path | None:
    """A path, or None for a setting that may be left empty."""
    return path(value) if value else None


def cron_line_or_off(value: str) -> str:
    """A cron line, or "" for the word `off`."""
    return "" if value.lower() == "off" else cron_line(value)


def cron_line(value: str) -> str:
    try:
        return schedule.parse(value)
    except ConfigError as error:
        raise BadValue(error.message.partition(" ")[2], error.hint) from error


def time_zone(value: str) -> str:
    try:
        return schedule.zone(value).key
    except ConfigError as error:
        raise BadValue("must be a known time zone", error.hint) from error


def bucket(value: str) -> str:
    if not _BUCKET.fullmatch(value):
        raise BadValue(
            "must be a bucket's name", "Give the name alone: no s3://, no address, no folder."
        )
    return value


def region(value: str) -> str:
    if not _REGION.fullmatch(value):
        raise BadValue("must be a region's name", "As your provider writes it: eu-west-1, auto.")
    return value


def storage_class(value: str) -> str:
    """One whose objects can be read at once: nothing here waits hours for a thaw."""
    if not _STORAGE_CLASS.fullmatch(value):
        raise BadValue("must be the name of a storage class", "Such as STANDARD_IA.")
    if value in {"GLACIER", "DEEP_ARCHIVE"}:
        hint = "Take GLACIER_IR or STANDARD_IA; archives of those two cannot be read at once."
        raise BadValue("must be a storage class that can be read at once", hint)
    return value


def server_encryption(value: str) -> str:
    if value == "none":
        return ""
    if not _SSE.fullmatch(value):
        raise BadValue("must be none, AES256, aws:kms or aws:kms:KEY-ID", "None is right mostly.")
    return value


def rate(text: str) -> int:
    """Bytes a second: 0, or 16K at least; with K, M or G (powers of 1024) behind the number."""
    match = _RATE.fullmatch(text.upper())
    value = int(match[1]) * _UNITS[match[2]] if match else -1
    if value != 0 and value < MIN_RATE:
        raise BadValue("must be bytes a second, 16K at least", "Write 500K, 2M, or 0 for no limit.")
    return value


def backup_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise BadValue(
            "must be made of a-z, 0-9, dot, dash and underscore",
            "Begin with a letter or digit; at most 100 characters.",
        )
    return value


def host(value: str) -> str:
    """The name that a machine goes by in plans and queues."""
    if not _HOST.fullmatch(value):
        raise BadValue(
            "must be made of a-z, 0-9, dot and dash",
            "Begin with a letter or digit; at most 63 characters.",
        )
    return value


def prefix(value: str) -> str:
    """`backups/`, `a/b/`, or empty, which is written `/`: the top of the bucket."""
    parts = value.rstrip("/").split("/")
    if not value.strip("/"):
        return ""
    if len(value) > 300 or not all(_PREFIX_PART.fullmatch(part) for part in parts):
        raise BadValue(
            "must be folder names divided by /",
            "Letters, digits and . _ = - ; no / in front, no .. inside. A single / is the top.",
        )
    return "/".join(parts) + "/"


def endpoint(value: str) -> str:
    """An http(s) address without a slash at its end."""
    if "@" in value:
        hint = "Use BACKUP_S3_ACCESS_KEY and BACKUP_S3_SECRET_KEY."
        raise BadValue("must hold no user name or password", hint, private=True)
    hint = "Write it whole, as in https://s3.example.com or http://127.0.0.1:9000."
    parts = _address(value, {"http", "https"}, hint)
    if parts.query or parts.fragment:
        raise BadValue("must end with host, port or path", hint)
    demand_reachable(parts.hostname or "")
    return value.rstrip("/")


def demand_reachable(host: str) -> None:
    """Raises `BadValue` for a link-local address, in whatever spelling."""
    address = address_of(host)
    if address is not None and is_forbidden(address):
        hint = "Link-local addresses are where clouds keep the credentials of their machines."
        raise BadValue("must not be a link-local or reserved address", hint, private=True)


def redis_url(value: str) -> str:
    hint = "As in redis://127.0.0.1:6379/0, rediss://… for TLS or unix:///run/redis.sock."
    if value.startswith("unix:///"):
        return value
    _address(value, {"redis", "rediss"}, hint)
    return value


def database_url(value: str) -> str:
    hint = "As in postgres://user:password@host/name or sqlite:////var/lib/tarkeep.sqlite3."
    if value.startswith("sqlite:///"):
        return value
    # A PostgreSQL address may leave out the host: postgres:///name is the local socket.
    _address(value, {"postgres", "postgresql"}, hint, host_needed=False)
    return value


def access_secret(value: str) -> str:
    """A key that travels in an HTTP header: printable ASCII without blanks."""
    if not _PRINTABLE.fullmatch(value):
        raise BadValue(
            "holds characters that no key has", "Look for blanks, line ends or cut-off text."
        )
    return value


def token(value: str) -> str:
    return long_secret(access_secret(value))


def long_secret(value: str) -> str:
    if len(value) < MIN_SECRET_LENGTH:
        raise BadValue(
            f"must have at least {MIN_SECRET_LENGTH} characters",
            "Make one with: openssl rand -hex 32",
        )
    if "\0" in value:
        raise BadValue("must not hold a NUL character", "Make one with: openssl rand -hex 32")
    return value


def long_secrets(value: str) -> tuple[str, ...]:
    """Several secrets with commas between them."""
    return tuple(long_secret(part.strip()) for part in value.split(",") if part.strip())


def _address(value: str, schemes: set[str], hint: str, *, host_needed: bool = True) -> SplitResult:
    complaint = f"must be an address that begins with {' or '.join(sorted(schemes))}"
    try:
        parts = urlsplit(value)
        if parts.scheme not in schemes or not _PRINTABLE.fullmatch(value) or parts.port == 0:
            raise BadValue(complaint, hint)
    except ValueError as error:  # a port that is no number, a bracket left open
        raise BadValue(complaint, hint) from error
    if host_needed and not parts.hostname:
        raise BadValue(complaint, hint)
    return parts
