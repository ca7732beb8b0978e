"""Backups in turns, alone and with a crowd that looks on; then the API without its Redis."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench import generate
from bench.load.redis import Kind, without_redis
from bench.load.service import Service, running
from bench.servers import SERVERS
from bench.sizes import MIB, parse_size, show_size

KINDS: tuple[Kind, ...] = ("refused", "silent")
_ROOT = Path(__file__).resolve().parents[2]
Figures = dict[str, Any]


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
        if "crowd" in given.only:
            with running(folder / "a", data, server.new_bucket()) as service:
                found |= _in_turns(given, service)
        for kind in KINDS if "redis" in given.only else ():
            found[f"redis {kind}"] = without_redis(kind, folder / kind, data, server.new_bucket())
    return found


def _in_turns(given: argparse.Namespace, service: Service) -> Figures:
    _backup(service)  # the first one warms the page cache
    alone: list[Figures] = []
    watched: list[Figures] = []
    for turn in range(given.repeat):
        alone.append(_timed(service))
        with _crowd(given, service) as seen:
            watched.append(_timed(service))
        watched[-1] |= seen
        _say(f"{turn + 1}: alone {alone[-1]}, watched {watched[-1]}")
    return {"alone": alone, "watched": watched, "change": _changes(alone, watched)}


def _changes(alone: list[Figures], watched: list[Figures]) -> dict[str, str]:
    """Of the wall time: of the medians, and of the fastest runs, which other work disturbs least.

    `by cpu`: what the web part took more, as a share of all cores; the crowd would be elsewhere.
    """
    quiet, busy = ([one["seconds"] for one in runs] for runs in (alone, watched))
    loads = [median(one["web cpu"] / one["seconds"] for one in runs) for runs in (alone, watched)]
    return {
        "median": _percent(median(busy) / median(quiet) - 1),
        "fastest": _percent(min(busy) / min(quiet) - 1),
        "by cpu": _percent((loads[1] - loads[0]) / (os.cpu_count() or 1)),
    }


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"


def _timed(service: Service) -> Figures:
    before = service.cpu("uvicorn")
    seconds = _backup(service)
    return {"seconds": seconds, "web cpu": round(service.cpu("uvicorn") - before, 2)}


def _backup(service: Service) -> float:
    """From its beginning to its end, by the database's clock. Asks rarely, not to be in the way."""
    with service.client() as tarkeep:
        job = tarkeep.wait(tarkeep.back_up(), every=2)
    begun, ended = (datetime.fromisoformat(str(job[name])) for name in ("startedAt", "finishedAt"))  # type: ignore[literal-required]
    return (ended - begun).total_seconds()


@contextmanager
def _crowd(given: argparse.Namespace, service: Service) -> Iterator[Figures]:
    """What it saw stands in the dictionary when the block is over."""
    counts = [str(number) for number in (given.clients, given.slow, given.rate)]
    command = [sys.executable, "-m", "bench.load.clients", str(service.port), service.token]
    seen: Figures = {}
    with subprocess.Popen(
        [*command, *counts], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT
    ) as crowd:
        assert crowd.stdout is not None
        assert crowd.stdout.readline() == "ready\n"
        yield seen
        out, _ = crowd.communicate("")
    seen |= summary(json.loads(out))


def summary(seen: Figures) -> Figures:
    waits = sorted(seen.pop("waits"))
    at: Callable[[float], float] = lambda part: round(  # noqa: E731
        1000 * waits[int(part * (len(waits) - 1))], 1
    )
    cpu = round(seen.pop("cpu"), 2)
    times = {"requests": len(waits), "p50 ms": at(0.5), "p95 ms": at(0.95), "p99 ms": at(0.99)}
    return {**seen, **times, "crowd cpu": cpu}


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
