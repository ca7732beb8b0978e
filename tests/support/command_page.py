"""docs/commands.md, drawn from the parsers themselves: `make docs` writes it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from django.core.management import load_command_class

from tests.support.pages import ROOT
from worker.engine.cli.main import parser

PAGE = ROOT / "docs" / "commands.md"
OWN = ROOT / "backups_app" / "management" / "commands"
HEAD = """# Commands

This page is drawn from the programs (`make docs`). Each command of `tarkeep` takes `--json` (the
answer as JSON on standard output) and `--quiet` (no progress bars) too.

Exit codes: 0 done, 1 a fault in Tarkeep, 2 settings or usage, 3 data folder, 4 bucket, 5 archive,
6 encryption key, 7 the place restored to, 8 stopped, 9 instances, 10 a hook.
"""


def rendered() -> str:
    parts = [HEAD, "## tarkeep\n", *_engine(), "## manage.py\n", *_django(), "## make\n", *_make()]
    return "\n".join(parts)


def _engine() -> Iterator[str]:
    (commands,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        words = [a for a in command._actions if not a.option_strings]
        usage = " ".join([f"tarkeep {name}", *map(_word, words)])
        yield _command(usage, str(command.description), command, {"-h", "--json", "--quiet"})


def _django() -> Iterator[str]:
    """Our own, with the options that they add to Django's."""
    for path in sorted(OWN.glob("[a-z]*.py")):
        command = load_command_class("backups_app", path.stem)
        given = argparse.ArgumentParser(add_help=False)
        if "add_arguments" in vars(type(command)):
            command.add_arguments(given)
        words = [a for a in given._actions if not a.option_strings]
        usage = " ".join([f"manage.py {path.stem}", *map(_word, words)])
        yield _command(usage, command.help, given, set())


def _command(usage: str, about: str, given: argparse.ArgumentParser, left_out: set[str]) -> str:
    options = [a for a in given._actions if not left_out & set(a.option_strings)]
    rows = [f"| {_named(one)} | {_cell(one.help)} |" for one in options]
    table = "\n".join(["| | |", "|---|---|", *rows, ""]) if rows else ""
    return f"### {usage}\n\n{_cell(about)}\n" + (f"\n{table}" if table else "")


def _word(word: argparse.Action) -> str:
    name = str(word.metavar or word.dest).upper()
    many = f"{name} ..." if word.nargs in {"*", "+"} else name
    return f"[{many}]" if word.nargs in {"?", "*"} else many


def _named(one: argparse.Action) -> str:
    if not one.option_strings:
        return f"`{str(one.metavar or one.dest).upper()}`"
    value = f" {one.metavar or one.dest.upper()}" if one.nargs != 0 else ""
    return ", ".join(f"`{option}{value}`" for option in one.option_strings)


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|").replace("%%", "%")


def _make() -> Iterator[str]:
    text = (ROOT / "Makefile").read_text()
    found = re.findall(r"^([a-z-]+):.*## (.*)$", text, re.MULTILINE)
    rows = [f"| `make {name}` | {_cell(about)} |" for name, about in found]
    yield "\n".join(["| | |", "|---|---|", *rows, ""])


def main() -> None:
    import django

    django.setup()
    PAGE.write_text(rendered())


if __name__ == "__main__":
    main()
