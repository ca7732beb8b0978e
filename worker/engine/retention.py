"""Which backups stay and which go, said in words; and the orderly deletion of those that go.

Invariants
- What goes has a name exactly ours and metadata beside it.
- Never goes: the newest, the one just made, a pinned one, the last verified one, one in use,
  and none at all while the newest looks like a loss of data (`_shrunken`), or older ones were
  sealed with a key that is not known here (`Held.strange`).
- Never more than `most_deleted` at once that nobody was asked about.
- Never fewer sound ones than `max_backups`, as far as there are so many.
- Metadata goes first: a deletion cut short leaves nothing that looks like a backup, and what
  it leaves is found by the janitor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from worker.engine import halts
from worker.engine.archive.strangers import strangers
from worker.engine.catalogue import BackupInfo, list_backups
from worker.engine.config import PlanConfig
from worker.engine.crashpoints import crashpoint
from worker.engine.naming import index_key, mark_keys, metadata_key
from worker.engine.progress import Progress, SourceWarning
from worker.engine.storage import Storage

SHRUNKEN_BELOW = 0.5


@dataclass(frozen=True)
class Held:
    """Keys that the bucket says nothing about, from whoever knows.

    `verified`: last read back whole; `in_use`: being restored or copied from, or just made.
    `damaged` ones, and those marked so in the bucket, count for nothing: a sound one is kept in the
    place of each. `strange` ones no known key opens.
    """

    verified: frozenset[str] = frozenset()
    in_use: frozenset[str] = frozenset()
    damaged: frozenset[str] = frozenset()
    strange: frozenset[str] = frozenset()


class Why(NamedTuple):
    """One reason: a code for those who say it in another language, and a clause."""

    code: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """Whether one backup stays, and why: `reason` in words, `codes` of each reason in it."""

    backup: BackupInfo
    keep: bool
    reason: str
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """`verdicts` newest first. `halted`: why nothing at all goes, or empty; `code` stands for it,
    and `suspect` is the backup whose confirmation ends it."""

    verdicts: tuple[Verdict, ...]
    halted: str = ""
    code: str = ""
    suspect: BackupInfo | None = None

    @property
    def doomed(self) -> list[BackupInfo]:
        """What goes, oldest first: the order to delete in."""
        return [verdict.backup for verdict in reversed(self.verdicts) if not verdict.keep]


Period = tuple[str, int, Callable[[datetime], object]]


def judge(backups: Iterable[BackupInfo], plan: PlanConfig, held: Held | None = None) -> Judgement:
    """A verdict for each backup, from its time, metadata and marks alone; nothing is asked.

    `backups` come with their metadata. The same ones left over are judged the same again:
    what went is never missed by a later run.
    """
    if plan.max_backups < 1:
        raise ValueError("at least one backup is kept")
    held = held or Held()
    found = sorted(backups, key=lambda info: (info.created, info.key), reverse=True)
    shrunken = _shrunken(found)
    held = replace(held, damaged=held.damaged | {info.key for info in found if info.damaged})
    uncounted = {info.key for info in shrunken} | held.damaged
    sound = [info for info in found if info.key not in uncounted]
    why: dict[str, list[Why]] = defaultdict(list)
    unsound = [info for info in found if info.key in uncounted]
    reasons = (*_by_age(sound, plan), *_guarded(found, held), *_unsound(unsound, sound, plan, held))
    for key, reason in reasons:
        why[key].append(reason)
    going = [info for info in found if info.key not in why]
    halt = halts.halt(found, going, shrunken, held.strange, plan.most_deleted)
    return _judgement(found, why, halt or ("", ""), _rule(plan))


def apply(
    storage: Storage, plan: PlanConfig, progress: Progress, *, just_made: str, held: Held = Held()
) -> list[str]:
    """Delete what the plan no longer keeps; the archive keys deleted, oldest first.

    Only to be called after a backup succeeded: `just_made` is its key. A bucket that does not
    show it yet is one whose list cannot be trusted, so nothing is deleted then.
    `StorageError` when a deletion fails: what is left of that backup is no longer listed, and
    the janitor clears it away.
    """
    backups = list_backups(storage, plan)
    if just_made not in {info.key for info in backups}:
        return []
    strange = strangers(storage, plan, backups)
    held = replace(held, in_use=held.in_use | {just_made}, strange=strange)
    return carry_out(storage, judge(backups, plan, held), progress)


def carry_out(storage: Storage, judgement: Judgement, progress: Progress) -> list[str]:
    """Delete the doomed; the keys deleted."""
    if judgement.halted:
        progress.warn(SourceWarning(judgement.code, "", judgement.halted))
    doomed = [info.key for info in judgement.doomed]
    for key in doomed:
        progress.commit("prune")  # each time: the lease may have been lost meanwhile
        delete_backup(storage, key)
    return doomed


def delete_backup(storage: Storage, key: str) -> None:
    """Metadata, archive, index, marks, in this order; what is not there is deleted enough."""
    for name in (metadata_key(key), key, index_key(key), *mark_keys(key)):
        storage.delete(name)
        crashpoint("prune.deleted")


def _by_age(sound: Sequence[BackupInfo], plan: PlanConfig) -> Iterator[tuple[str, Why]]:
    which = f"one of the {plan.max_backups} newest" if plan.max_backups > 1 else "the newest"
    for info in sound[: plan.max_backups]:
        yield info.key, Why("newest", f"it is {which}")
    zone = ZoneInfo(plan.timezone)
    for name, count, period in _periods(plan):
        last: dict[object, BackupInfo] = {}
        for info in sound:
            last.setdefault(period(info.created.astimezone(zone)), info)
        for info in islice(last.values(), count):
            yield info.key, Why(name, f"it is the last of its {name}")


def _periods(plan: PlanConfig) -> tuple[Period, ...]:
    return (
        ("day", plan.keep_daily, lambda at: at.date()),
        ("week", plan.keep_weekly, lambda at: at.isocalendar()[:2]),
        ("month", plan.keep_monthly, lambda at: (at.year, at.month)),
        ("year", plan.keep_yearly, lambda at: at.year),
    )


def _guarded(found: Sequence[BackupInfo], held: Held) -> Iterator[tuple[str, Why]]:
    """Whatever the numbers say; the newest of all stays even when it is not sound."""
    for info in found:
        if info.pinned:
            yield info.key, Why("pinned", "it is pinned")
        if info.key in held.verified:
            yield info.key, Why("verified", "it is the last one that was verified")
        if info.key in held.in_use:
            yield info.key, Why("inUse", "it is in use")
    for info in found[:1]:
        if info.key in held.damaged:
            yield info.key, Why("newestDamaged", "it is the newest, though damaged")


def _unsound(
    unsound: Sequence[BackupInfo], sound: Sequence[BackupInfo], plan: PlanConfig, held: Held
) -> Iterator[tuple[str, Why]]:
    """Those that do not count go with the sound ones of their age, not before."""
    counted = sound[: plan.max_backups]
    enough = len(counted) == plan.max_backups
    for info in unsound:
        if enough and info.created < counted[-1].created:
            continue
        damaged = info.key in held.damaged
        flaw = "damaged" if damaged else "much smaller than the one before"
        text = f"it is {flaw}, so it does not count and goes with those of its age"
        yield info.key, Why("damaged" if damaged else "shrunken", text)


def _shrunken(newest_first: Sequence[BackupInfo]) -> list[BackupInfo]:
    """Those with less than half the data of the last one that had not shrunk itself.

    A backup that a person confirmed is the measure for those after it.
    """
    odd: list[BackupInfo] = []
    measure = 0
    for info in reversed(newest_first):
        size = info.metadata.data_size if info.metadata else None
        if size is None:
            continue
        if size < measure * SHRUNKEN_BELOW and not info.confirmed:
            odd.append(info)
        else:
            measure = size
    return odd


def _judgement(
    found: Sequence[BackupInfo],
    why: dict[str, list[Why]],
    halt: tuple[str, str],
    rule: str,
) -> Judgement:
    code, halted = halt
    verdicts = []
    for info in found:
        kept = [Why("halted", f"otherwise it would go, but {halted}")] if halted else []
        reasons = why.get(info.key) or kept
        codes, texts = zip(*(reasons or [Why("rule", rule)]), strict=True)
        verdicts.append(Verdict(info, bool(reasons), "; ".join(texts), codes))
    return Judgement(tuple(verdicts), halted, code, found[0] if halted else None)


def _rule(plan: PlanConfig) -> str:
    kept = [f"the {plan.max_backups} newest" if plan.max_backups > 1 else "the newest"]
    kept += [f"the last ones of {count} {name}(s)" for name, count, _ in _periods(plan) if count]
    return f"it is not among {', '.join(kept)}"
