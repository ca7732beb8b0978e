"""`tarkeep`: arguments in, exit code out.

Exit codes: 0 done, 1 a fault in Tarkeep, 2 settings or usage, 3 data folder, 4 storage,
5 archive, 6 encryption key, 7 the place restored to, 8 stopped (errors.py says the same).
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from worker.engine import lent
from worker.engine.backup import Mode
from worker.engine.cli import commands, copies, doctor, early_key, files, keeping, notify, restoring
from worker.engine.cli.output import Output
from worker.engine.errors import EngineError, JobStopped
from worker.engine.settings import Settings, read_settings, require
from worker.engine.storage.s3 import open_storage
from worker.engine.version import VERSION

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Errors go to standard error as a sentence and a hint, or as JSON."""
    arguments = parser().parse_args(argv)
    output = Output(json=arguments.json, quiet=arguments.quiet)
    try:
        lent.take(Path.cwd())
        settings = read_settings()
        if arguments.tolerant:  # of wrong settings, about which it has more to say
            return int(arguments.command(settings, output))
        if arguments.command is commands.dry_run:
            require(settings, bucket=False)
            commands.dry_run(settings.plan, output)
            return 0
        require(settings)
        _run(arguments, settings, output)
    except EngineError as error:
        output.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        output.error(JobStopped("Stopped.", hint="Nothing was published or changed."))
        return JobStopped.exit_code
    return 0


def _run(arguments: argparse.Namespace, settings: Settings, output: Output) -> None:
    storage = open_storage(settings.storage)
    command: commands.Command = arguments.command
    command(commands.Context(settings.plan, storage, output, arguments))
    early_key.keep(settings.plan.temp_dir)


_MODES: dict[Mode, str] = {
    "full": "pack and send all anew, whatever the bucket has",
    "deep": "read all files, and compare what did not change by content",
}


def parser() -> argparse.ArgumentParser:
    """All commands and options; the documentation's reference is drawn from it."""
    top = argparse.ArgumentParser(
        prog="tarkeep",
        description="Back up a data folder to an S3 bucket, and bring it back.",
        epilog="Settings come from the environment and from .env; see docs/configuration.md.",
    )
    top.add_argument("--version", action="version", version=f"tarkeep {VERSION}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="answer as JSON on standard output")
    common.add_argument("--quiet", action="store_true", help="no progress bars")
    sub = top.add_subparsers(required=True, metavar="COMMAND")
    backup = _add(sub, common, "backup", commands.backup, "back up the data folder now")
    backup.add_argument(
        "--dry-run",
        dest="command",
        action="store_const",
        const=commands.dry_run,
        help="only say what would be saved",
    )
    for mode, text in _MODES.items():
        backup.add_argument(
            f"--{mode}",
            dest="command",
            action="store_const",
            const=partial(commands.backup, mode=mode),
            help=text,
        )
    _add(sub, common, "list", commands.list_, "the backups in the bucket, newest first")
    restoring.add(partial(_add, sub, common))
    copies.add(partial(_add, sub, common))
    _key(_add(sub, common, "verify", commands.verify, "read a whole backup back and check it"))
    _key(_add(sub, common, "drill", commands.drill, "restore into a scratch folder and check it"))
    files.add(partial(_add, sub, common), _key)
    keeping.add(partial(_add, sub, common), _key)
    doctor.add(partial(_add, sub, common))
    notify.add(partial(_add, sub, common))
    return top


def _add(
    sub: argparse._SubParsersAction[argparse.ArgumentParser],
    common: argparse.ArgumentParser,
    name: str,
    command: Callable[..., object],
    text: str,
) -> argparse.ArgumentParser:
    made = sub.add_parser(
        name, parents=[common], help=text, description=f"{text[:1].upper()}{text[1:]}."
    )
    made.set_defaults(command=command, tolerant=False)
    return made


def _key(command: argparse.ArgumentParser) -> None:
    command.add_argument("key", metavar="KEY", help="a backup's key, or `latest`")
