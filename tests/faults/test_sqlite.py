"""Jobs on SQLite: the very tests that ran on PostgreSQL, a second time.

Whoever starts with `make run` has SQLite, and writers there wait for each other.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import settings as of_the_tests

ROOT = Path(__file__).parents[2]
FILES = [
    "tests/backups_app/test_job.py",
    "tests/worker/test_tasks.py",
    "tests/worker/test_reaper.py",
    "tests/worker/test_slots.py",
    "tests/worker/test_real_worker.py",
    "tests/faults/test_jobs.py",
]


@pytest.mark.timeout(1800)
@pytest.mark.invariant("I1")
@pytest.mark.row(1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 16, 18, 20, 26, 29, 61)
def test_jobs_keep_their_promises_on_sqlite_too(tmp_path: Path) -> None:
    if of_the_tests.DATABASE_CHOICE.url.startswith("sqlite"):
        pytest.skip("they run on SQLite anyway")
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'runs'}"]
    done = subprocess.run(
        [sys.executable, *arguments, *FILES],
        cwd=ROOT,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0
    assert re.search(r"^\d+ passed( in|,) ", done.stdout.splitlines()[-1])
    assert "skipped" not in done.stdout.splitlines()[-1]


def environment(folder: Path) -> dict[str, str]:
    """Of another run: it chooses a Redis of its own, and what CI demands of ours is not for it."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return ours | {
        "CI": "",
        "TEST_DATABASE_URL": f"sqlite:///{folder}/tests.sqlite3",
        "TEST_REDIS_URL": "",
    }
