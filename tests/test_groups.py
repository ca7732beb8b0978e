"""Tests that share something costly stay together when several processes run the suite.

Nothing fails loudly when a new version of pytest or of xdist no longer does that: each process
starts a service of its own, and tests meet what others left.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

GROUPED = """
import time
import pytest

pytestmark = pytest.mark.xdist_group("some group")

@pytest.mark.parametrize("number", range(6))
def test_something(number):
    time.sleep(0.1)
"""


def test_tests_of_one_group_run_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-v", "-n", "2", "--dist", "loadgroup"]
    env = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    run = subprocess.run(
        [*command, "-p", "no:django", str(tmp_path)],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    by = re.findall(r"^\[(gw\d)\].* PASSED", run.stdout, re.MULTILINE)
    assert len(by) == 6
    assert len(set(by)) == 1
