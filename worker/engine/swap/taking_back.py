"""The way back of a swap of single entries: each old one in its place, whatever was done of it."""

from __future__ import annotations

from worker.engine.crashpoints import crashpoint
from worker.engine.swap.entry import Entries, move
from worker.engine.swap.sides import Sides, logs
from worker.engine.swap.units import Unit


def take_back(sides: Sides, unit: Unit) -> None:
    """The new entry is staged again, the old one back in place; done before is done."""
    new, here, old = sides.new, sides.here, sides.old
    path, staged = unit.path, new.inode(unit.path)
    if old.inode(path) == unit.inode != 0:  # a step back that was broken off
        move(old, path, new)
    elif staged and staged != unit.inode:
        _return(sides, unit, new)
    elif old.info(path):
        _return(sides, unit, old)
    elif not staged and unit.inode and here.inode(path) == unit.inode:
        move(here, path, new)
    _bring_logs(sides, unit)


def _return(sides: Sides, unit: Unit, source: Entries) -> None:
    """The old entry, which lies in `source`, back in place; ours, if it is there, staged."""
    here, path = sides.here, unit.path
    ours = here.inode(path) == unit.inode != 0
    _clear_logs(sides, unit)
    if here.info(path):
        if ours and source is sides.old:
            _stage(sides, path)
            return
        if ours and sides.exchanged(source, path):
            return
        sides.put_aside(here, path)
    move(source, path, here)


def _stage(sides: Sides, path: bytes) -> None:
    """The old entry is filed away, ours in its place: both go back."""
    if sides.exchanged(sides.old, path):
        crashpoint("parts.exchanged-back")
        move(sides.old, path, sides.new)
        return
    move(sides.here, path, sides.new)
    move(sides.old, path, sides.here)


def _clear_logs(sides: Sides, unit: Unit) -> None:
    for path in logs(unit):
        if sides.here.info(path):
            sides.put_aside(sides.here, path)


def _bring_logs(sides: Sides, unit: Unit) -> None:
    """What lay beside the old database comes back to it."""
    for path in logs(unit):
        if sides.old.info(path) and not sides.here.info(path):
            move(sides.old, path, sides.here)
