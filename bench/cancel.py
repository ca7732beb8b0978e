"""How soon a job ends that is cancelled at a random moment: `python -m bench.cancel`.

On a whole service with a real worker, over the API as anybody would. Each kind of job runs once
to its end; then it is started again and again and cancelled somewhere within that time. Figures
are seconds from the request to the end that the job itself gives.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench import generate
from bench.load.service import Service, running
from bench.servers import SERVERS
from bench.sizes import MIB, parse_size
from tarkeep_client import Tarkeep, TarkeepError
from tarkeep_client.shapes import Job

KINDS = ("backup", "stopped", "restore", "verify", "drill")
ACTIVE = ("PENDING", "RUNNING")
_ROOT = Path(__file__).resolve().parents[1]
_LOOK_EVERY = 0.1  # seconds
Seen = dict[str, list[float]]


def main(argv: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(argv)
    given.work.mkdir(parents=True, exist_ok=True)
    data = generate.kept(given.work / f"chat-{given.size // MIB}M-1", generate.chat, given.size, 1)
    found: dict[str, dict[str, float]] = {}
    for stopping in (False, True):
        kinds = [kind for kind in given.only if (kind == "stopped") is stopping]
        if kinds:
            with _service(given.work, data, stopping=stopping) as service:
                for kind in kinds:
                    found |= _figures(kind, _cancelled(service, kind, given.times))
    given.results.mkdir(parents=True, exist_ok=True)
    (given.results / "cancel.json").write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))  # noqa: T201


@contextmanager
def _service(work: Path, data: Path, *, stopping: bool) -> Iterator[Service]:
    with (
        tempfile.TemporaryDirectory(dir=work, prefix="cancel-") as folder,
        SERVERS["lean"](Path(folder, "s3")) as server,
    ):
        live, mark = Path(folder, "data"), Path(folder, "stopped")
        shutil.copytree(data, live, symlinks=True)
        instance = {
            "BACKUP_STOP_INSTANCES": "true",
            "BACKUP_INSTANCE_DRIVER": "command",
            "BACKUP_INSTANCE_STOP_COMMAND": f"touch {mark}",
            "BACKUP_INSTANCE_START_COMMAND": f"rm {mark}",
            "BACKUP_INSTANCE_STATUS_COMMAND": f"test ! -e {mark}",
        }
        more = instance if stopping else {}
        with running(Path(folder, "a"), live, server.new_bucket(), **more) as service:
            yield service


def _cancelled(service: Service, kind: str, times: int) -> Seen:
    """Seconds by the phase in which the job was cancelled; `finished` were too quick for it."""
    seen: Seen = defaultdict(list)
    chance = random.Random(kind)  # noqa: S311
    with service.client() as tarkeep:
        if kind not in ("backup", "stopped"):
            tarkeep.wait(tarkeep.back_up())
        begun = time.monotonic()
        tarkeep.wait(_start(tarkeep, kind))
        length = time.monotonic() - begun
        for number in range(times):
            phase, seconds = _cancel_one(tarkeep, kind, length * chance.random())
            seen[phase].append(seconds)
            _say(f"{kind} {number + 1}: {phase} {seconds:.2f} s")
    return seen


def _cancel_one(tarkeep: Tarkeep, kind: str, after: float) -> tuple[str, float]:
    job = _start(tarkeep, kind)
    time.sleep(after)
    phase = tarkeep.job(job["id"])["phase"] or "waiting"
    asked = datetime.now(UTC)
    try:
        tarkeep.cancel(job)
    except TarkeepError:  # past the point of no return, or over
        phase = "refused"
    job = _ended(tarkeep, job)
    if job["state"] != "CANCELLED":
        return "refused" if phase == "refused" else "finished", 0.0
    return phase, (datetime.fromisoformat(str(job["finishedAt"])) - asked).total_seconds()


def _start(tarkeep: Tarkeep, kind: str) -> Job:
    start: dict[str, Callable[[], Job]] = {
        "backup": tarkeep.back_up,
        "stopped": tarkeep.back_up,
        "restore": lambda: tarkeep.restore("latest"),
        "verify": lambda: tarkeep.verify("latest"),
        "drill": lambda: tarkeep.drill("latest"),
    }
    return start[kind]()


def _ended(tarkeep: Tarkeep, job: Job) -> Job:
    while job["state"] in ACTIVE:
        time.sleep(_LOOK_EVERY)
        job = tarkeep.job(job["id"])
    return job


def _figures(kind: str, seen: Seen) -> dict[str, dict[str, float]]:
    return {
        f"{kind}, {phase}": {
            "times": len(seconds),
            "median": round(median(seconds), 2),
            "longest": round(max(seconds), 2),
        }
        for phase, seconds in seen.items()
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.cancel", description=__doc__)
    parser.add_argument("--size", type=parse_size, default=2048 * MIB, help="of the data folder")
    parser.add_argument("--times", type=int, default=12, help="for each kind of job")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--work", type=Path, default=_ROOT / "var" / "bench", help="needs space")
    parser.add_argument("--results", type=Path, default=_ROOT / "bench" / "results")
    return parser


if __name__ == "__main__":
    main()
