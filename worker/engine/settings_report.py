"""Each setting in effect: its value, where that comes from, and never a secret."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from worker.engine.environment import Environment, Variable

Source = Literal["environment", ".env", "secret file", "default"]


@dataclass(frozen=True)
class InEffect:
    """`value` is what was written, or the default; of a secret only whether it is `set`."""

    name: str
    about: str
    value: str
    default: str
    secret: bool
    source: Source


def report(env: Environment, variables: Iterable[Variable[Any]]) -> tuple[InEffect, ...]:
    """In the order of `variables`. A wrong value is not in effect: its default is."""
    return tuple(_one(env, variable) for variable in variables)


def _one(env: Environment, variable: Variable[Any]) -> InEffect:
    source = _source(env, variable)
    given = "" if source == "default" else env.values.get(variable.name, "").strip()
    shown = "set" if variable.secret and source != "default" else given or variable.default
    name, about = variable.name, variable.about
    return InEffect(name, about, shown, variable.default, variable.secret, source)


def _source(env: Environment, variable: Variable[Any]) -> Source:
    wrong = {problem.variable for problem in env.problems}
    named = next((name for name in variable.names if env.values.get(name)), None)
    if named is None or wrong & set(variable.names):
        return "default"
    if named != variable.name:
        return "secret file"
    return ".env" if named in env.of_file else "environment"
