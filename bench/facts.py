"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
import re
import tempfile
from pathlib import Path

from bench.measure import Command, run
from bench.peers import Tool
from bench.sizes import show_size


def facts(tools: list[Tool]) -> dict[str, str]:
    """Machine and versions; nothing that names the machine or the day."""
    busy = os.getloadavg()[0]
    found = {
        "processor": f"{os.cpu_count()} cores, {_first('/proc/cpuinfo', 'model name')}",
        "memory": show_size(int(_first("/proc/meminfo", "MemTotal").split()[0]) * 1024),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "load before": f"{busy:.1f}",
    }
    return {**found, **{tool.name: _version(tool) for tool in tools if not tool.missing()}}


def _first(path: str, name: str) -> str:
    found = re.search(rf"^{name}\s*:\s*(.*)$", Path(path).read_text(), re.MULTILINE)
    return found[1] if found else "unknown"


def _version(tool: Tool) -> str:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        run(Command(tool.version().shell, tool.version().env, output=out), Path(folder, "log"))
        return ", ".join(out.read_text().split("\n")).rstrip(", ")
