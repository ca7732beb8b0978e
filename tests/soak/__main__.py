"""Random backups, restores, changes and kills, for as long as asked: `make soak`.

Each round a process of its own does one thing to a real folder and a real bucket and is killed by
SIGKILL at a random moment or at a random named point, while requests are spoiled now and then; then
the invariants are asserted. Plain and encrypted take turns. Prints what happened as JSON;
`docs/reliability.md` publishes the numbers of such a run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from launcher.seaweed import RunningS3, start_seaweed
from tests.soak.soak import Soak
from tests.soak.told import Told
from tests.support.s3client import s3_client
from worker.engine.config import StorageConfig


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--kills", type=int, default=10**9, help="stop after so many")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--report", type=Path, help="a file that is written anew every ten rounds")
    wanted = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="tarkeep-soak-") as folder:
        server = start_seaweed(Path(folder) / "s3", max_volumes=50)
        try:
            with rough(server, wanted.seed) as endpoint:
                told = soak(Path(folder), server, endpoint, wanted)
        finally:
            server.stop()
    print(json.dumps(told.as_dict(), indent=2))
    sys.exit(bool(told.broken))


@contextmanager
def rough(server: RunningS3, seed: int) -> Iterator[str]:
    """The address of a proxy that spoils some requests, in a process that is never forked."""
    command = [sys.executable, "-m", "tests.soak.rough", server.endpoint, str(seed)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as proxy:
        assert proxy.stdout
        yield proxy.stdout.readline().strip()
        proxy.kill()


def soak(folder: Path, server: RunningS3, endpoint: str, wanted: argparse.Namespace) -> Told:
    began = time.monotonic()
    both = [_one(folder, server, endpoint, wanted.seed, name) for name in ("plain", "encrypted")]
    for turn, one in enumerate(cycle(both)):
        told = both[0].told + both[1].told
        told.seconds = round(time.monotonic() - began, 1)
        if wanted.report and turn % 10 == 0:
            wanted.report.write_text(json.dumps(told.as_dict(), indent=2))
        over = told.seconds > wanted.minutes * 60 or told.kills >= wanted.kills
        if over or not one.go_on():
            break
    told = both[0].told + both[1].told
    told.seconds = round(time.monotonic() - began, 1)
    return told


def _one(folder: Path, server: RunningS3, endpoint: str, seed: int, name: str) -> Soak:
    config = StorageConfig(
        f"soak-{name}",
        access_key=server.access_key,
        secret_key=server.secret_key,
        endpoint=server.endpoint,
    )
    s3_client(config).create_bucket(Bucket=config.bucket)
    encrypted = name == "encrypted"
    return Soak(
        folder / name,
        config,
        seed + encrypted,
        encrypted=encrypted,
        rough=replace(config, endpoint=endpoint),
    )


if __name__ == "__main__":
    main()
