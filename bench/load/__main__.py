"""Backups in turns: alone, with a crowd that looks on, and beside what only takes as much of the
processor as that crowd; then the API without its Redis."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import generate
from bench.load.redis import Kind, without_redis
from bench.load.service import running
from bench.load.turns import Figures, Size, in_turns
from bench.servers import SERVERS
from bench.sizes import MIB, parse_size, show_size

KINDS: tuple[Kind, ...] = ("refused", "silent")
_ROOT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(argv)
    given.work.mkdir(parents=True, exist_ok=True)
    data = generate.kept(given.work / f"chat-{given.size // MIB}M-1", generate.chat, given.size, 1)
    with tempfile.TemporaryDirectory(dir=given.work, prefix="load-") as folder:
        found = _measure(given, Path(folder), data)
    given.results.mkdir(parents=True, exist_ok=True)
    (given.results / "load.json").write_text(json.dumps(found, indent=1))
    _say(json.dumps(found, indent=1))


def _measure(given: argparse.Namespace, folder: Path, data: Path) -> Figures:
    with SERVERS["lean"](folder / "s3") as server:
        found: Figures = {"data": show_size(given.size)}
        size = Size(given.clients, given.slow, given.rate)
        if "crowd" in given.only:
            with running(folder / "a", data, server.new_bucket()) as service:
                found |= in_turns(service, size, given.repeat, _say)
        for kind in KINDS if "redis" in given.only else ():
            found[f"redis {kind}"] = without_redis(kind, folder / kind, data, server.new_bucket())
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.load", description=__doc__)
    parser.add_argument("--size", type=parse_size, default=2048 * MIB, help="of the data folder")
    parser.add_argument("--clients", type=int, default=1000, help="WebSockets")
    parser.add_argument("--slow", type=int, default=50, help="of them do not read")
    parser.add_argument("--rate", type=int, default=200, help="requests a second on status")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=("crowd", "redis"), default=("crowd", "redis"))
    parser.add_argument("--work", type=Path, default=_ROOT / "var" / "bench", help="needs space")
    parser.add_argument("--results", type=Path, default=_ROOT / "bench" / "results")
    return parser


if __name__ == "__main__":
    main()
