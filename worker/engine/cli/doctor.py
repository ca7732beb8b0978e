"""`tarkeep doctor`: what is wrong, and what the provider can do. `manage.py doctor` knows more."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime

from worker.engine.cli.output import Output
from worker.engine.doctor import Finding, Report, examine
from worker.engine.settings import Settings

_SIGNS = {"ok": "ok  ", "note": "note", "bad": "BAD "}


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    text = "try out settings, data folder and bucket, and say what the provider can do"
    command("doctor", doctor, text).set_defaults(tolerant=True)


def doctor(settings: Settings, output: Output) -> int:
    """Runs with wrong settings too. The exit code is that of the first bad finding."""
    report = examine(settings, now=datetime.now(UTC))
    output.result(report.as_dict(), lines(report))
    return report.exit_code


def lines(report: Report) -> str:
    """The findings for people, one or two lines each."""
    return "\n".join(_line(one) for one in report.findings)


def _line(one: Finding) -> str:
    hint = f"\n      {one.hint}" if one.hint and one.level != "ok" else ""
    return f"{_SIGNS[one.level]}  {one.about}: {one.text}{hint}"
