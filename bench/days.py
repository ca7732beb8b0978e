"""The scenarios of what comes after the first backup: nothing changed, and days of changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench.link import Link
from bench.measure import Command, run
from bench.mutate import mutate
from bench.peers import Place, Tool
from bench.proxy import CountingProxy, counting
from bench.results import Row
from bench.scenarios import Bench

DAY = "a day of changes"
_REST = 11  # seconds: what was touched in the last ten counts as changed, as it may change unseen


def days(
    bench: Bench, tools: list[Tool], data: Path, link: Link, scenario: str, *, count: int
) -> None:
    """So many days pass for a copy of the folder; each tool backs up after each, in turns.

    Each backup is counted and timed at once, so all pay alike for the counting. What others have
    left unwritten is written before each: the day itself, and the tool before.
    """
    able = {tool.name: tool for tool in tools if not tool.missing()}
    rows = {name: Row(scenario, name) for name in able}
    sent: dict[str, list[int]] = {name: [] for name in able}
    bench.results.rows.extend(rows.values())
    folder = bench.work / "days"
    subprocess.run(["cp", "-a", str(data), str(folder)], check=True)
    places = {name: bench.new_place(tool) for name, tool in able.items()}
    with ExitStack() as stack:
        proxies = {
            name: stack.enter_context(counting(bench.server.endpoint, host=link.host))
            for name in able
        }
        for day in range(count + 1):
            if day:
                mutate(folder, seed=day)
            time.sleep(_REST)
            for name in able if day % 2 else reversed(able):
                os.sync()
                task = link.across(able[name].backup(_through(places[name], proxies[name]), folder))
                row = _backup(bench, task, places[name], proxies[name], rows[name], day)
                sent[name].append(row.sent)
    for name, row in rows.items():
        row.sent = int(median(sent[name][1:]))
        row.stored = bench.server.stored(places[name].bucket)
        bench.server.drop(places[name].bucket)
    shutil.rmtree(folder)


def _through(place: Place, proxy: CountingProxy) -> Place:
    """The same address each day: what a tool has found out about its server counts for that."""
    return replace(place, bucket=replace(place.bucket, endpoint=proxy.endpoint))


def _backup(
    bench: Bench, task: Command, place: Place, proxy: CountingProxy, row: Row, day: int
) -> Row:
    proxy.traffic.forget()
    before = bench.server.cpu()
    cost = run(task, bench.work / "last.log", sample=True)
    traffic = proxy.traffic
    row.sent, row.received, row.requests = traffic.sent, traffic.received, traffic.requests
    row.peak = max(row.peak, cost.peak)
    if day:  # the first one is a first backup
        down = bench.server.downtime(place.bucket)
        row.costs.append(replace(cost, server=bench.server.cpu() - before, downtime=down))
        bench.say(f"{row.scenario} {day}: {row.tool}, {cost.wall:.2f} s, {row.sent:,} bytes")
    return row
