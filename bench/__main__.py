"""`make bench`: make the data, run the scenarios, show the table.

`make bench ARGS="--size 2GiB --files 200000 --repeat 5"`; docs/benchmarks.md explains.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import docs, generate
from bench.days import DAY, days
from bench.facts import facts
from bench.link import link
from bench.peers import Tool
from bench.peers.pipe import Pipe
from bench.peers.restic import Restic
from bench.peers.tarkeep import Tarkeep
from bench.results import Results
from bench.scenarios import STOPPED, Bench
from bench.servers import SERVERS
from bench.sizes import MIB, parse_size, show_size
from bench.table import table
from bench.targets import verdicts

_ROOT = Path(__file__).resolve().parents[1]
_PEERS: dict[str, Callable[[], Tool]] = {"restic": Restic, "pipe": Pipe}
_ABOUT = {
    "seaweed": "SeaweedFS, on the same cores",
    "lean": "bench.lean, which only keeps bytes, as if it ran on a machine of its own",
}
_SCENARIOS = ("backup", "stopped", "restore", "fetch", "unchanged", "days", "small")
_SMALL_AGAIN = ", many small files"


def main(argv: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(argv)
    given.work.mkdir(parents=True, exist_ok=True)
    results = measure(given)
    _show(results)
    _keep(results, given.results)
    if given.docs:
        docs.write(results, _ROOT / "docs", given.server)


def measure(given: argparse.Namespace) -> Results:
    """All scenarios asked for, one after another against one server."""
    tools: list[Tool] = [Tarkeep(6), *(_PEERS[name]() for name in given.peers)]
    results = Results(_facts(given, tools))
    with (
        tempfile.TemporaryDirectory(dir=given.work, prefix="run-") as folder,
        SERVERS[given.server](Path(folder, "s3")) as server,
    ):
        bench = Bench(server, Path(folder), results, _say, given.repeat)
        _run(bench, given, tools)
    return results


def _run(bench: Bench, given: argparse.Namespace, tools: list[Tool]) -> None:
    if set(given.only) - {"small"}:
        data = _data(given, f"chat-{given.size // MIB}M", generate.chat, given.size)
        if "backup" in given.only:
            bench.first_backup([tools[0], Tarkeep(1), *tools[1:]], data)
        else:
            bench.first_backup(tools, data, timed=False)
        if "stopped" in given.only:
            stopping: list[Tool] = [Tarkeep(6, stopping=True)]
            bench.first_backup(stopping, data, STOPPED)
            bench.a_day_later(stopping, data)
        if "restore" in given.only:
            bench.restore(tools, data)
        if "fetch" in given.only:
            bench.fetch(tools, data)
        if "unchanged" in given.only:
            bench.unchanged(_knowing(tools), data)
        if "days" in given.only:
            _days(bench, given, _knowing(tools), data)
    if "small" in given.only:
        data = _data(given, f"small-{given.files}", generate.small_files, given.files)
        bench.small_files(tools, data)
        bench.unchanged(
            [tool for tool in tools if tool.name != Pipe.name], data, after=_SMALL_AGAIN
        )


def _knowing(tools: list[Tool]) -> list[Tool]:
    """All but the pipe, which has no last backup: it would send all again."""
    return [tool for tool in tools if tool.name != Pipe.name]


def _days(bench: Bench, given: argparse.Namespace, tools: list[Tool], data: Path) -> None:
    for mbit in given.links:
        with link(mbit) as line:
            name = f"{DAY}, {mbit} Mbit/s" if mbit else DAY
            days(bench, tools, data, line, name, count=given.days)


def _data(
    given: argparse.Namespace, name: str, make: Callable[[Path, int, int], None], amount: int
) -> Path:
    _say(f"data folder {name}-{given.seed}")
    return generate.kept(given.work / f"{name}-{given.seed}", make, amount, given.seed)


def _facts(given: argparse.Namespace, tools: list[Tool]) -> dict[str, str]:
    asked = {
        "data": f"{show_size(given.size)} of a chat gateway; {given.files} small files",
        "server": _ABOUT[given.server],
        "runs": f"{given.repeat} for each tool, in turns",
    }
    return {**asked, **facts(tools)}


def _show(results: Results) -> None:
    lines = [f"{name}: {value}" for name, value in results.facts.items()]
    print("", *lines, "", table(results), *verdicts(results), sep="\n")  # noqa: T201


def _keep(results: Results, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results.as_dict(), indent=1)
    (folder / "latest.json").write_text(text)
    _say(f"written to {folder / 'latest.json'}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description="Tarkeep beside other tools.")
    parser.add_argument("--size", type=parse_size, default=512 * MIB, help="of the data folder")
    parser.add_argument("--files", type=int, default=50_000, help="in the many-small-files tree")
    parser.add_argument("--days", type=int, default=3, help="of changes")
    parser.add_argument(
        "--links", type=int, nargs="*", default=[0], help="Mbit/s for the days; 0: no limit"
    )
    parser.add_argument("--repeat", type=int, default=3, help="timed runs for each tool")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=_SCENARIOS, default=_SCENARIOS)
    parser.add_argument("--peers", nargs="*", choices=_PEERS, default=list(_PEERS))
    parser.add_argument("--server", choices=SERVERS, default="seaweed", help="lean: does no work")
    parser.add_argument("--work", type=Path, default=_ROOT / "var" / "bench", help="needs space")
    parser.add_argument("--results", type=Path, default=_ROOT / "bench" / "results")
    parser.add_argument("--docs", action="store_true", help="renew docs/benchmarks.md as well")
    return parser


if __name__ == "__main__":
    main()
