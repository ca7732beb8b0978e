"""What a user may have: `python appctl.py FOLDER start|stop|status NAME` for writer processes.

A file FOLDER/fault-VERB-NAME spoils it: `fail` exits with 1, `once` does so one time, `hang`
never comes back. FOLDER/verbs.log lists what was asked for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.writer import alive

LIMIT = 20.0


def spoil(folder: Path, verb: str, name: str) -> None:
    fault = folder / f"fault-{verb}-{name}"
    kind = fault.read_text() if fault.exists() else ""
    if kind == "once":
        fault.unlink()
    if kind in {"fail", "once"}:
        print(f"no {verb} today")
        sys.exit(1)
    while kind == "hang":
        time.sleep(1)


def wait_until(wanted: bool, folder: Path, name: str) -> None:
    deadline = time.monotonic() + LIMIT
    while alive(folder, name) is not wanted:
        if time.monotonic() > deadline:
            sys.exit(1)
        time.sleep(0.01)


def start(folder: Path, name: str) -> None:
    writer = [sys.executable, str(Path(__file__).with_name("writer.py")), str(folder), name]
    if not alive(folder, name):
        subprocess.Popen(writer, start_new_session=True)
    wait_until(True, folder, name)


def stop(folder: Path, name: str) -> None:
    if alive(folder, name):
        os.kill(int((folder / f"{name}.pid").read_text()), signal.SIGTERM)
    wait_until(False, folder, name)


def main(folder: Path, verb: str, name: str) -> int:
    with (folder / "verbs.log").open("a") as log:
        if verb != "status":
            print(verb, name, file=log, flush=True)
        spoil(folder, verb, name)
        if verb == "status":
            return 0 if alive(folder, name) else 3
        (start if verb == "start" else stop)(folder, name)
        return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
