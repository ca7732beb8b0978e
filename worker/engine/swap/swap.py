"""Put a staged folder in the place of the live one, and keep the live one as a safety copy.

A journal is written before and removed after. After a crash at any instant
`finish_interrupted` makes the live folder entirely old or entirely new again: what had not
passed the turning point is undone, what had is finished.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from worker.engine.crashpoints import crashpoint
from worker.engine.errors import SourceError, TargetError
from worker.engine.extract.syscalls import RENAME_EXCHANGE, RENAME_NOREPLACE, rename
from worker.engine.extract.target_errors import as_target_error
from worker.engine.swap import journal
from worker.engine.swap.carry import carry, write_list
from worker.engine.swap.discard import discard
from worker.engine.swap.entries import EntrySwap
from worker.engine.swap.journal import IN, Note
from worker.engine.swap.lock import held
from worker.engine.swap.parts import PARTS, PartSwap
from worker.engine.swap.site import ENTRIES, EXCHANGE, NEW, RENAME, Site, sites_of

_NOT_MOVABLE = (errno.EBUSY, errno.EXDEV)
_NO_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


class Outcome(StrEnum):
    """What `finish_interrupted` found and did."""

    NOTHING = "nothing"
    UNDONE = "undone"
    FINISHED = "finished"


def swap(site: Site, staged: Path, safety: Path, *, carried: Iterable[bytes] = ()) -> str:
    """Make `staged` the live folder and `safety` the old one; the mode that did it.

    Both lie in the site's workplace; `staged` must be whole and synced. The entries `carried`
    of the old folder go over into the new one, where they can (see `carry.py`). The caller holds
    the lock. Raises `TargetError`: the live folder is then as it was before, or, where even that
    failed, the journal stays for `finish_interrupted`.
    """
    note = Note(site.mode, staged.name, safety.name, staged.stat().st_ino)
    with as_target_error("replacing the data folder"):
        write_list(site.carried, carried)
        journal.write(site.journal, note)
        crashpoint("swap.journalled")
        try:
            mode = _replace(site, note)
            _carry(site, note)
        except OSError:
            if _recover(site) is not Outcome.FINISHED:
                raise
            mode = site.mode
        crashpoint("swap.done")
        journal.remove(site.journal)
        crashpoint("swap.over")
        return mode


def finish_interrupted(data_dir: Path) -> Outcome:
    """Finish or undo the swap that a dead process left, and remove its staging folders.

    For the start of a worker and of a restore; changes nothing where nothing was left. Raises
    `TargetError`: TARGET_BUSY while a restore runs.
    """
    outcomes = [_tidy(site) for site in sites_of(data_dir) if _has_traces(site)]
    return next((o for o in outcomes if o is not Outcome.NOTHING), Outcome.NOTHING)


def demand_settled(data_dir: Path) -> None:
    """`SourceError` (SOURCE_BETWEEN) while a swap that broke off is neither done nor undone."""
    for site in sites_of(data_dir):
        if os.path.lexists(site.journal):
            raise SourceError(
                "The data folder is between old and new: a restore of it broke off",
                hint="It is settled by itself, or by the next `tarkeep` command. If that does not"
                " work, the log and the alert SWAP_UNSETTLED say why.",
                code="SOURCE_BETWEEN",
            )


def _tidy(site: Site) -> Outcome:
    with as_target_error("tidying up after an interrupted restore"), held(site.lock):
        outcome = _recover(site)
        for folder in site.leftovers():
            discard(folder)
        for file in site.orphans():
            file.unlink()
        return outcome


def _has_traces(site: Site) -> bool:
    return os.path.lexists(site.journal) or bool(site.leftovers()) or bool(site.orphans())


def _replace(site: Site, note: Note) -> str:
    """The first way that the file system allows."""
    if note.mode == NEW:
        rename(_bytes(site.workplace / note.staged), _bytes(site.live), flags=RENAME_NOREPLACE)
        crashpoint("swap.placed")
        journal.sync_folder(site.workplace)
        return NEW
    ways = {EXCHANGE: _exchange, RENAME: _rename, ENTRIES: _move_entries, PARTS: _move_entries}
    try:
        ways[note.mode](site, note)
    except OSError as error:
        other = _other_mode(note.mode, error)
        if other is None or _is_new(site, note):
            raise
        return _again(site, replace(note, mode=other))
    return note.mode


def _again(site: Site, note: Note) -> str:
    journal.write(site.journal, note)
    crashpoint("swap.other-mode")
    return _replace(site, note)


def _other_mode(mode: str, error: OSError) -> str | None:
    if mode in (EXCHANGE, RENAME) and error.errno in _NOT_MOVABLE:
        return ENTRIES
    if mode == EXCHANGE and error.errno in _NO_EXCHANGE:
        return RENAME
    return None


def _exchange(site: Site, note: Note) -> None:
    """One atomic exchange; then the old folder, now under the staged name, gets its own."""
    staged = site.workplace / note.staged
    rename(_bytes(staged), _bytes(site.live), flags=RENAME_EXCHANGE)
    crashpoint("swap.exchanged")
    journal.sync_folder(site.workplace)
    crashpoint("swap.exchange-synced")
    _name_safety(site, note)


def _name_safety(site: Site, note: Note) -> None:
    staged, safety = site.workplace / note.staged, site.workplace / note.safety
    if staged.exists():
        rename(_bytes(staged), _bytes(safety), flags=RENAME_NOREPLACE)
    crashpoint("swap.safety-named")
    journal.sync_folder(site.workplace)


def _rename(site: Site, note: Note) -> None:
    """Two renames, for file systems that know no exchange: absent for an instant."""
    site.live.rename(site.workplace / note.safety)
    crashpoint("swap.live-away")
    (site.workplace / note.staged).rename(site.live)
    crashpoint("swap.staged-in")
    journal.sync_folder(site.workplace)


def _move_entries(site: Site, note: Note) -> None:
    _entry_swap(site, note).run()


def _entry_swap(site: Site, note: Note) -> EntrySwap | PartSwap:
    kind = PartSwap if note.mode == PARTS else EntrySwap
    return kind(site.live, site.workplace, site.journal, note)


def _carry(site: Site, note: Note) -> None:
    carry(site.carried, site.workplace / note.safety, site.live, site.about(note.safety))


def _recover(site: Site) -> Outcome:
    note = _read_note(site)
    if note is None:
        return Outcome.NOTHING
    by_entry = note.mode in (ENTRIES, PARTS)
    outcome = _settle_entries(site, note) if by_entry else _settle_folder(site, note)
    if outcome is Outcome.FINISHED:
        _carry(site, note)
    crashpoint("swap.recovered")
    site.carried.unlink(missing_ok=True)
    journal.remove(site.journal)
    return outcome


def _settle_entries(site: Site, note: Note) -> Outcome:
    run = _entry_swap(site, note)
    if note.phase == IN:
        run.finish()
        return Outcome.FINISHED
    run.undo()
    return Outcome.UNDONE


def _settle_folder(site: Site, note: Note) -> Outcome:
    staged, safety = site.workplace / note.staged, site.workplace / note.safety
    if _is_new(site, note) or not staged.exists():
        _name_safety(site, note)
        return Outcome.FINISHED
    if note.mode == RENAME and safety.exists():
        _bring_back(site, safety)
    elif staged.stat().st_ino != note.staged_inode:
        # Inode numbers do not last on every file system: this may be the old folder. Keep it.
        _name_safety(site, note)
    return Outcome.UNDONE


def _bring_back(site: Site, safety: Path) -> None:
    """Undo the first of two renames; a folder made by somebody meanwhile is put aside."""
    if os.path.lexists(site.live):
        site.live.rename(site.stray())
    safety.rename(site.live)
    journal.sync_folder(site.workplace)


def _is_new(site: Site, note: Note) -> bool:
    return site.live.exists() and site.live.stat().st_ino == note.staged_inode


def _read_note(site: Site) -> Note | None:
    try:
        note = journal.read(site.journal)
    except ValueError:
        raise _unreadable(site) from None
    if note is not None and not _ours(site, note):
        raise _unreadable(site)
    return note


def _ours(site: Site, note: Note) -> bool:
    names = (note.staged, note.safety)
    known = all(site.is_stage(name) or site.is_copy(name) for name in names)
    return known and note.mode in (NEW, EXCHANGE, RENAME, ENTRIES, PARTS)


def _unreadable(site: Site) -> TargetError:
    return TargetError(
        f"The journal {site.journal} of an interrupted restore cannot be understood",
        hint="Look at the folders beside it, put them right by hand, then remove it.",
    )


def _bytes(path: Path) -> bytes:
    return os.fsencode(path)
