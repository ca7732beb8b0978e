"""Where settings come from: the environment, laid over `.env`, and secret files.

A value of the real environment wins over `.env`. `NAME_FILE` names a file that holds the
value of a secret, as Docker and Kubernetes hand secrets out. An empty value is no value.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Generic, TypeVar

from dotenv.parser import Binding, parse_stream

from worker.engine.values import BadValue

T = TypeVar("T")

MAX_SECRET_FILE = 64 * 1024
OUR_NAMES = ("BACKUP_", "TARKEEP_")


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the settings. Never holds the value of a secret."""

    variable: str
    message: str
    hint: str


@dataclass(frozen=True)
class Variable(Generic[T]):
    """One setting: its name, its reader, its default as one would write it, what it is for."""

    name: str
    read: Callable[[str], T]
    default: str
    about: str
    secret: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, f"{self.name}_FILE") if self.secret else (self.name,)


class Environment:
    """Reads variables one by one and collects all that is wrong; raises nothing."""

    def __init__(self, values: Mapping[str, str], base_dir: Path) -> None:
        self.values = dict(values)
        self.base_dir = base_dir
        self.problems: list[Problem] = []
        self.of_file: set[str] = set()  # names whose value is that of `.env`

    @classmethod
    def of_process(cls, base_dir: Path) -> Environment:
        """`os.environ` laid over the `.env` of `base_dir`."""
        environment = cls(os.environ, base_dir)
        for name, value in environment._dotenv().items():
            # NAME_FILE of the real environment silences NAME of `.env`, and the other way round.
            if name not in os.environ and not os.environ.get(_twin(name)):
                environment.values[name] = value
                environment.of_file.add(name)
        return environment

    def get(self, variable: Variable[T]) -> T:
        """The variable's value, or its default when it is missing or wrong."""
        given = self._given(variable)
        if given:
            try:
                return variable.read(given)
            except BadValue as bad:
                shown = "" if variable.secret or bad.private else f", not {given[:80]!r}"
                message = f"{variable.name} {bad.complaint}{shown}"
                self.complain(variable.name, message, bad.hint)
        return variable.read(variable.default)

    def is_set(self, variable: Variable[T]) -> bool:
        return any(self.values.get(name) for name in variable.names)

    def complain(self, name: str, message: str, hint: str) -> None:
        self.problems.append(Problem(name, message, hint))

    def refuse_misspelt(self, known: set[str]) -> None:
        """Names that are almost ours: a misspelt encryption key would leave backups plain."""
        for name in sorted(self.values.keys() - known):
            if not name.startswith(OUR_NAMES):
                continue
            meant = _closest(name, known) or _closest(name.removesuffix("_FILE"), known)
            if meant:
                message = f"{name} is not a setting of Tarkeep"
                self.complain(name, message, f"Did you mean {meant}?")

    def _given(self, variable: Variable[T]) -> str:
        value = self.values.get(variable.name, "")
        if not variable.secret:
            return value.strip()
        file = self.values.get(f"{variable.name}_FILE", "")
        if value and file:
            message = f"{variable.name} and {variable.name}_FILE are both set"
            self.complain(variable.name, message, "Keep one of the two.")
        return value or (self._secret_file(f"{variable.name}_FILE", file) if file else "")

    def _secret_file(self, name: str, file: str) -> str:
        try:
            text = _read_text(self.base_dir / file)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not a small text file"
            self.complain(name, f"{name} cannot be read: {reason}", f"Look at {file[:200]!r}.")
            return ""
        secret = text.rstrip("\r\n")
        if not secret:
            self.complain(name, f"{name} names an empty file", f"Look at {file[:200]!r}.")
        return secret

    def _dotenv(self) -> dict[str, str]:
        """The lines of `.env`, taken as they stand: a `$` in a password stays a `$`."""
        file = self.base_dir / ".env"
        if not file.exists():
            return {}
        try:
            with file.open(encoding="utf-8-sig") as stream:
                bindings = list(parse_stream(stream))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            self.complain(".env", f".env cannot be read: {reason}", f"Look at {file}.")
            return {}
        return {b.key: b.value or "" for b in bindings if self._well_formed(b) and b.key}

    def _well_formed(self, binding: Binding) -> bool:
        if binding.error:
            message = f".env has a line that cannot be read: line {binding.original.line}"
            self.complain(".env", message, "Write NAME=value, one a line.")
        return not binding.error


def _closest(name: str, known: set[str]) -> str:
    return next(iter(get_close_matches(name, known, n=1, cutoff=0.9)), "")


def _twin(name: str) -> str:
    return name.removesuffix("_FILE") if name.endswith("_FILE") else f"{name}_FILE"


def _read_text(file: Path) -> str:
    with file.open("rb") as stream:
        raw = stream.read(MAX_SECRET_FILE + 1)
    if len(raw) > MAX_SECRET_FILE:
        raise ValueError("too large")
    return raw.decode()
