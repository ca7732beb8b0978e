"""Ten days of a chat gateway, a backup after each: what is sent stays small, each archive whole.

Everything is an eighth of its size: data, segments, and what a part must have at least.
"""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.generate import chat
from bench.mutate import mutate
from tests.engine.packing import Heard
from tests.engine.trees import describe
from tests.support.memory_storage import MemoryStorage
from worker.engine.backup import run_backup
from worker.engine.config import PlanConfig, ReuseConfig

MIB = 1024 * 1024
LEAST = 5 * MIB // 8
DAYS = 10
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_ten_days_send_little_each_and_leave_ten_whole_archives(tmp_path: Path) -> None:
    data, storage = tmp_path / "data", MemoryStorage(least_part=LEAST)
    chat(data, 128 * MIB, 1)
    plan = PlanConfig(
        data_dir=data,
        temp_dir=tmp_path / "temp",
        max_backups=100,
        segment_size=4 * MIB // 8,
        reuse=ReuseConfig(least_copy=LEAST, settled=-(10**18)),
    )
    sent, touched = [], []
    for day in range(DAYS + 1):
        if day:
            touched.append(mutate(data, seed=day).touched)
        made = run_backup(plan, storage, Heard(), now=NOW + timedelta(days=day))
        sent.append(made.bytes_sent)
        opened = tmp_path / f"opened-{day}"
        opened.mkdir()
        command = ["tar", "-xzf", "-", "-C", str(opened)]
        subprocess.run(command, input=storage.objects[made.key][0], check=True)
        assert describe(opened / "data") == describe(data)
    # No more than two thirds of the bytes of the files that a day touched, and no more in the end
    # than in the beginning, but for what a deep comparison and growing files make of it.
    assert all(one < 0.67 * of for one, of in zip(sent[1:], touched, strict=True))
    assert max(sent[-3:]) < 1.3 * max(sent[1:4])
