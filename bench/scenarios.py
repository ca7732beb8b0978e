"""The scenarios: each tool does the task once watched (traffic, memory, correctness), then
several times timed, in turns with the others (A B C, C B A, ...), so that a busy minute of the
machine hits all.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from bench import trees
from bench.errors import BenchError
from bench.measure import Command, Cost, idle_memory, run
from bench.mutate import mutate
from bench.peers import Place, Tool
from bench.proxy import counting
from bench.results import Results, Row
from bench.servers import S3Server
from bench.sizes import KIB

FIRST, RESTORE, FETCH, SMALL = "first backup", "restore", "one file", "many small files"
STOPPED, NEXT_DAY = "instances stopped", "instances stopped, a day later"
UNCHANGED = "nothing changed"
_WANTED_FILE = 100 * KIB
_SETTLE = 6  # seconds
_ROOM = 0.1  # of the disk: less, and what was restored before is deleted
_FORGOTTEN = 61  # seconds; ext4 passes over inodes deleted in the last 60, one by one
_SETTLED = 11  # seconds; a file changed within ten before a backup may have changed since unseen

Task = Callable[[Tool, Place], Command]
After = Callable[[Row, Place], None]
Before = Callable[[Tool, Place], None]


def _nothing(_tool: Tool, _place: Place) -> None:
    """Nothing has to be there before."""


@dataclass
class Bench:
    """What all scenarios share. `say` shows progress; `repeat` timed runs for each tool."""

    server: S3Server
    work: Path
    results: Results
    say: Callable[[str], None]
    repeat: int = 3
    _kept: dict[str, Place] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def first_backup(
        self, tools: list[Tool], data: Path, scenario: str = FIRST, *, timed: bool = True
    ) -> None:
        """Into a fresh bucket each time. The watched run's is kept for what comes next."""

        def stored(row: Row, place: Place) -> None:
            row.stored = self.server.stored(place.bucket)
            self._kept[row.tool] = place

        repeat = self.repeat if timed else 0
        self._scenario(
            scenario, tools, lambda tool, place: tool.backup(place, data), stored, repeat=repeat
        )

    def small_files(self, tools: list[Tool], data: Path) -> None:
        self.first_backup(tools, data, SMALL)

    def unchanged(self, tools: list[Tool], data: Path, *, after: str = "") -> None:
        """Another backup of the same. One goes before, to the same address: once 5 MiB are spent on
        finding out what the server there can do. `after`: more of the scenario's name."""

        def once(tool: Tool, place: Place) -> None:
            self._run(tool.backup(place, data))

        def task(tool: Tool, place: Place) -> Command:
            return tool.backup(place, data)

        self._scenario(UNCHANGED + after, tools, task, lambda *_: None, before=once, kept=True)

    def restore(self, tools: list[Tool], data: Path) -> None:
        def compare(_row: Row, place: Place) -> None:
            trees.same(data, place.work / "restored")

        def task(tool: Tool, place: Place) -> Command:
            return tool.restore(place, _empty(place.work / "restored"))

        self._scenario(RESTORE, tools, task, compare, kept=True)

    def fetch(self, tools: list[Tool], data: Path) -> None:
        path = file_of(data, _WANTED_FILE)

        def compare(_row: Row, place: Place) -> None:
            if (place.work / "fetched").read_bytes() != (data / path).read_bytes():
                raise BenchError(f"{path} was fetched differently")

        def task(tool: Tool, place: Place) -> Command:
            target = place.work / "fetched"
            target.unlink(missing_ok=True)
            return tool.fetch(place, path, target)

        self._scenario(FETCH, tools, task, compare, kept=True)

    def a_day_later(self, tools: list[Tool], data: Path) -> None:
        """The second backup of a folder, after a day's changes. The first is not measured."""

        def day(tool: Tool, place: Place) -> None:
            shutil.copytree(data, place.work / "data", symlinks=True)
            time.sleep(_SETTLED)
            self._run(tool.backup(place, place.work / "data"))
            mutate(place.work / "data")

        def compare(row: Row, place: Place) -> None:
            row.stored = self.server.stored(place.bucket)
            self._run(tool_of[row.tool].restore(place, _empty(place.work / "restored")))
            trees.same(place.work / "data", place.work / "restored")

        tool_of = {tool.name: tool for tool in tools}
        self._scenario(
            NEXT_DAY,
            tools,
            lambda tool, place: tool.backup(place, place.work / "data"),
            compare,
            before=day,
        )

    def _scenario(
        self,
        name: str,
        tools: list[Tool],
        task: Task,
        after: After,
        *,
        before: Before = _nothing,
        kept: bool = False,
        repeat: int | None = None,
    ) -> None:
        able: list[tuple[Tool, Row]] = []
        for tool in tools:
            row = Row(name, tool.name, skipped=tool.missing())
            self.results.rows.append(row)
            if not row.skipped:
                able.append((tool, row))
        for tool, row in able:
            self.say(f"{name}: {tool.name}, watched")
            self._watched(tool, row, task, after, before=before, kept=kept)
        for number in range(self.repeat if repeat is None else repeat):
            for tool, row in able if number % 2 == 0 else reversed(able):
                self._timed(tool, row, task, before=before, kept=kept)

    def _watched(
        self, tool: Tool, row: Row, task: Task, after: After, *, before: Before, kept: bool
    ) -> None:
        place = self._kept[tool.name] if kept else self.new_place(tool)
        with counting(self.server.endpoint) as proxy:
            seen = replace(place, bucket=replace(place.bucket, endpoint=proxy.endpoint))
            before(tool, seen)
            proxy.traffic.forget()
            cost = self._run(task(tool, seen), sample=True)
            traffic = proxy.traffic
        row.sent, row.received, row.requests = traffic.sent, traffic.received, traffic.requests
        if idle := tool.idle(place):
            row.idle = idle_memory(idle)
        row.peak = max(0, cost.peak - row.idle)
        after(row, place)

    def _timed(self, tool: Tool, row: Row, task: Task, *, before: Before, kept: bool) -> None:
        with self._place(tool, kept=kept) as place:
            before(tool, place)
            command = task(tool, place)
            os.sync()  # what the run before left unwritten is not ours to wait for
            time.sleep(_SETTLE)
            spent = self.server.cpu()
            cost = self._run(command)
            unwritten = _until_written()
            cpu, down = self.server.cpu() - spent, self.server.downtime(place.bucket)
            cost = replace(cost, server=cpu, downtime=down, unwritten=unwritten)
            row.costs.append(cost)
        self.say(f"{row.scenario}: {tool.name}, {row.costs[-1].wall:.2f} s")

    @contextmanager
    def _place(self, tool: Tool, *, kept: bool) -> Iterator[Place]:
        if kept:
            yield self._kept[tool.name]
            return
        place = self.new_place(tool)
        yield place
        self.server.drop(place.bucket)
        shutil.rmtree(place.work)

    def new_place(self, tool: Tool) -> Place:
        """A fresh bucket and folder for a tool, ready for its first backup."""
        work = self.work / f"place-{next(self._numbers)}"
        work.mkdir()
        place = Place(self.server.new_bucket(), work)
        if command := tool.prepare(place):
            self._run(command)
        return place

    def _run(self, command: Command, *, sample: bool = False) -> Cost:
        return run(command, self.work / "last.log", sample=sample)


def _until_written() -> float:
    started = time.perf_counter()
    os.sync()
    return time.perf_counter() - started


def file_of(data: Path, size: int) -> str:
    """The path of the file whose size is nearest to `size`; the same one each time."""
    files = sorted(path for path in data.rglob("*") if path.is_file())
    return str(min(files, key=lambda path: abs(path.stat().st_size - size)).relative_to(data))


def _empty(folder: Path) -> Path:
    """A new folder there. What was restored before is put aside until all is over: to delete it
    would cost whoever restores next (ext4's `recently_deleted`, RECENCY_MIN)."""
    if folder.exists():
        aside = folder.with_name(f"{folder.name}-{time.monotonic_ns()}")
        folder.rename(aside)
        disk = shutil.disk_usage(folder.parent)
        if disk.free < _ROOM * disk.total:
            for old in folder.parent.glob(f"{folder.name}-*"):
                shutil.rmtree(old)
            time.sleep(_FORGOTTEN)
    folder.mkdir(parents=True)
    return folder
