"""Row 88 of the fault matrix, in short: random runs killed at random, on a real bucket.

In CI ten minutes, and a whole service for most of it; the long form is `make soak`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak.soak import Soak
from tests.support.own_database import empty_database
from worker.engine.config import StorageConfig

__all__ = ["empty_database"]
ROOT = Path(__file__).parents[2]
KILLS = 8
MINUTES = 10 if os.environ.get("CI") == "true" else 1


@pytest.mark.invariant("I2", "I3", "I5", "I6", "I7")
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_row_88_runs_that_are_killed_at_random_break_no_invariant(
    storage_config: StorageConfig, tmp_path: Path, encrypted: bool
) -> None:
    soak = Soak(tmp_path, storage_config, 7 + encrypted, encrypted=encrypted)
    soak.run(seconds=240, kills=KILLS)
    soak.told.rounds += 1  # a moment of its own
    soak.compare()
    assert soak.told.broken == []
    assert soak.told.kills >= 1
    assert soak.told.compared >= 1


@pytest.mark.invariant("I1", "I2", "I3", "I7")
@pytest.mark.timeout(1800)
def test_row_88_a_service_that_is_struck_at_random_ends_each_backup_well(
    empty_database: str,
) -> None:
    """Each round restores the newest backup and compares it."""
    told = soak("tests.soak.service", MINUTES / 3, "--database", empty_database)
    assert told["broken"] == []
    assert told["compared"] == told["rounds"] >= 1


@pytest.mark.invariant("I2", "I3", "I5", "I6", "I7")
@pytest.mark.timeout(1800)
def test_row_88_runs_that_are_killed_while_requests_are_spoiled_break_no_invariant() -> None:
    told = soak("tests.soak", MINUTES / 3)
    assert told["broken"] == []
    assert told["kills"] >= 1


def soak(module: str, minutes: float, *more: str) -> dict:
    """What it tells at its end, shown whole when a test fails."""
    command = [sys.executable, "-m", module, "--minutes", str(minutes), *more]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout)
    return json.loads(done.stdout)
