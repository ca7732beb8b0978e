"""The story of a partial restore: fetch and verify what was chosen beside the live folder, then
exchange each entry by itself. What is not named stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from worker.engine.archive.choice import Choice
from worker.engine.catalogue import find_backup
from worker.engine.config import PlanConfig
from worker.engine.crashpoints import crashpoint
from worker.engine.damage import marking
from worker.engine.extract.target_errors import as_target_error
from worker.engine.part_fetch import fetch_part
from worker.engine.part_list import list_parts
from worker.engine.progress import Counting, Progress
from worker.engine.replacing import put_in_place
from worker.engine.restore import RestoreResult, link_rule, restore_result, run_restore
from worker.engine.room import naming_copies
from worker.engine.safety_backup import save_live
from worker.engine.storage import Storage
from worker.engine.swap.lock import held, not_while_backed_up
from worker.engine.swap.parts import PARTS
from worker.engine.swap.rights import check_rights
from worker.engine.swap.site import look
from worker.engine.swap.staging import staging
from worker.engine.swap.swap import finish_interrupted


def run_restore_part(
    plan: PlanConfig,
    storage: Storage,
    progress: Progress,
    *,
    key: str,
    words: Sequence[str] = (),
    entries: Sequence[bytes] = (),
    now: datetime,
) -> RestoreResult:
    """Restore what `words` and `entries` choose (see `Choice`) of the backup, in place.

    A chosen folder is replaced as a whole. What was replaced lies in the safety copy, each entry
    at its path. Raises what a restore raises, and `ArchiveError` (PATH_NOT_FOUND,
    PATTERN_INVALID), `TargetError` (TARGET_BLOCKED); the live folder is then what it was before.
    """
    choice = Choice(words, entries)
    if choice.everything:
        return run_restore(plan, storage, progress, key=key, now=now)
    progress.phase("preparing")
    backup = find_backup(storage, plan, key)
    with as_target_error("preparing the restore"):
        finish_interrupted(plan.data_dir)
        looked = look(plan.data_dir)
        check_rights(looked, progress)
        site = replace(looked, mode=PARTS)
    saved = save_live(plan, storage, progress, restoring=backup, now=now)
    counted = Counting(progress)
    with (
        held(site.lock),
        not_while_backed_up(site.live),
        naming_copies(plan.data_dir),
        staging(site, progress) as staged,
    ):
        progress.phase("fetching")
        links = link_rule(backup, site.live)
        with marking(storage, backup.key, proves=False):
            got = fetch_part(storage, plan, backup, choice, staged, counted, links=links)
        list_parts(staged, site.live, choice)
        crashpoint("restore-part.fetched")
        rejected = site.failed_copy(now)
        done = put_in_place(plan, site, staged, counted, now=now, rejected=rejected)
    return restore_result(backup.key, got, done, counted.count, saved)
