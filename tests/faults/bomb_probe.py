"""Run as a program that is measured: `python bomb_probe.py CASE FOLDER`; prints JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support import hostile
from tests.support.memory_storage import MemoryStorage
from worker.engine.archive.reader import ArchiveStream
from worker.engine.config import PlanConfig
from worker.engine.errors import EngineError
from worker.engine.extract.limits import Limits
from worker.engine.naming import archive_key
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.verify import survey

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
AT_ONCE = 1000
MEMBERS = 1_000_000


def headers() -> Iterator[bytes]:
    """Empty members without end, as a stream that is nowhere as a whole."""
    piece = b"".join(hostile.header(b"data/%d" % number) for number in range(AT_ONCE))
    return iter(lambda: piece, b"")


def members(count: int, limits: Limits) -> int:
    pieces = (piece for _, piece in zip(range(count // AT_ONCE), headers(), strict=False))
    stream = ArchiveStream(chain(pieces, [hostile.END]), Progress())
    return survey(stream, Progress(), "key", limits).files


def restore(folder: Path) -> int:
    plan, storage = PlanConfig(data_dir=folder / "data", temp_dir=folder / "temp"), MemoryStorage()
    key = archive_key(plan, NOW)
    storage.put(key, (folder / "archive").read_bytes())
    return run_restore(plan, storage, Progress(), key=key, now=NOW).files


def main(case: str, folder: Path) -> dict[str, int | str]:
    files, code = 0, ""
    try:
        if case == "restore":
            files = restore(folder)
        elif case == "members":
            files = members(MEMBERS, Limits())
        else:
            files = members(MEMBERS, Limits(members=MEMBERS // 10))
    except EngineError as error:
        code = error.code
    return {"files": files, "code": code, "rss": most_memory()}


def most_memory() -> int:
    """Bytes, of this program alone: `ru_maxrss` begins with what its parent held."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    json.dump(main(sys.argv[1], Path(sys.argv[2])), sys.stdout)
