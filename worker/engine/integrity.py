"""SQLite's word on one database file that nobody writes to."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from worker.engine.progress import Progress
from worker.engine.sqlite_pulse import watched

Check = Literal["integrity_check", "quick_check"]


class NotChecked(Exception):
    """SQLite could not say; the text tells why."""


def integrity(file: Path, progress: Progress, check: Check = "integrity_check") -> str:
    """What the check complains of first, "" for a whole database.

    Raises `NotChecked` where SQLite lacks what the database needs, such as a collation of the
    application's own; `JobStopped`.
    """
    uri = f"file:{quote(os.fsencode(file))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as database:
            database.execute("PRAGMA trusted_schema=OFF")
            with watched(database, progress):
                answer = str(database.execute(f"PRAGMA {check}(1)").fetchone()[0])
        return "" if answer == "ok" else answer
    except sqlite3.OperationalError as error:
        raise NotChecked(str(error)) from error
    except sqlite3.DatabaseError as error:
        return str(error)
