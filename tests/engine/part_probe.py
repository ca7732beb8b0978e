"""Run in a mount namespace: `unshare -m python -m tests.engine.part_probe CASE DIR WORD…`.

As `place_probe`, but only WORDs of the backup are restored.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.engine.place_probe import CASES, NOW, archive
from tests.engine.test_swap import tree
from tests.support.memory_storage import MemoryStorage
from worker.engine.config import PlanConfig
from worker.engine.errors import EngineError
from worker.engine.naming import archive_key
from worker.engine.progress import Progress
from worker.engine.restore_part import run_restore_part


def main(case: str, base: Path, words: list[str]) -> dict[str, object]:
    live = CASES[case](base)
    plan = PlanConfig(data_dir=live, temp_dir=base / "temp")
    storage, key = MemoryStorage(), archive_key(plan, NOW)
    storage.put(key, archive(base, case))
    before, outcome = tree(live), {}
    try:
        result = run_restore_part(plan, storage, Progress(), key=key, words=words, now=NOW)
        outcome = {"mode": result.mode, "safety": tree(result.safety_copy)}
    except EngineError as error:
        outcome = {"code": error.code}
    left = [n for n in (*os.listdir(live), *os.listdir(live.parent)) if "stage" in n]
    return {**outcome, "before": before, "after": tree(live), "left": left}


if __name__ == "__main__":
    _, chosen, folder, *named = sys.argv
    json.dump(main(chosen, Path(folder), named), sys.stdout)
