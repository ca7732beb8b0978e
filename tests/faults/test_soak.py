"""Row 88 of the fault matrix, in short: random runs killed at random, on a real bucket.

The long form is `make soak`.
"""

from pathlib import Path

import pytest

from tests.soak.soak import Soak
from worker.engine.config import StorageConfig

KILLS = 8


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
