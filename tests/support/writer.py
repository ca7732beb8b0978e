"""An instance of an application: `python writer.py FOLDER NAME` writes and writes to a file.

FOLDER/NAME.pid is its process id, FOLDER/NAME.log grows until SIGTERM. With a file
FOLDER/NAME.stubborn it takes so many seconds, as the file says, to obey.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType


def alive(folder: Path, name: str) -> bool:
    """Whether that instance runs now; a process that ended and was not reaped does not."""
    try:
        pid = int((folder / f"{name}.pid").read_text() or 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def end(folder: Path, name: str) -> None:
    """For the end of a test: gone at once, if it is there."""
    if alive(folder, name):
        os.kill(int((folder / f"{name}.pid").read_text()), signal.SIGKILL)


def main(folder: Path, name: str) -> None:
    (folder / f"{name}.pid").write_text(str(os.getpid()))

    def obey(_: int, __: FrameType | None) -> None:
        stubborn = folder / f"{name}.stubborn"
        time.sleep(float(stubborn.read_text()) if stubborn.exists() else 0)
        sys.exit(0)

    signal.signal(signal.SIGTERM, obey)
    with (folder / f"{name}.log").open("a") as log:
        for number in range(10**9):
            print(number, file=log, flush=True)
            time.sleep(0.02)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
