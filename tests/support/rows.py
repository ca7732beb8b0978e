"""The rows of the fault matrix, in a few words each, and the invariants that every test asserts.

A test belongs to the rows that its name says (`test_row_33_...`) and to those of its marker
(`@pytest.mark.row(1, 2)`). `make faults` runs these tests and prints the table.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROWS = {
    1: "the process of a job killed while it sends",
    2: "a whole worker killed",
    3: "killed at each named point of each kind of job",
    4: "SIGTERM while a backup runs",
    5: "a second SIGTERM, SIGINT",
    6: "stopped for longer than the lease, then continued",
    7: "the same hint ten times",
    8: "a hint delivered again after the job has ended",
    9: "Redis down when a backup is asked for",
    10: "Redis killed and its memory lost while a job waits",
    11: "the connection to Redis half open",
    13: "Redis emptied while a job runs",
    14: "a wrong password of Redis, a name that does not resolve",
    15: "two schedulers",
    16: "the scheduler away for hours",
    17: "daylight saving, leap days, other time zones",
    18: "the clock jumps",
    19: "eight workers race for the same jobs",
    20: "a slot comes due while a run goes on",
    21: "the database away while a job runs",
    22: "SQLite locked by another writer",
    23: "no room for SQLite",
    25: "a worker of another version than the database",
    26: "cancelled while it runs",
    27: "cancelled past the point of no return",
    28: "a read that hangs",
    29: "a job's process killed for its memory",
    30: "a connection that breaks at byte n",
    31: "a server that is busy now and then",
    32: "a server that stays busy",
    33: "a server that takes requests and never answers",
    34: "a server that answers byte by byte",
    35: "the answer to complete lost",
    36: "complete says 200 and means no",
    37: "the upload vanishes",
    38: "bytes damaged on the way or at rest",
    39: "conditions of writes ignored",
    40: "trailing checksums refused",
    42: "writing, deleting or listing denied",
    43: "the bucket missing, late or elsewhere",
    44: "the clock twenty minutes off",
    45: "a certificate that proves nothing",
    46: "keys replaced while a backup runs",
    47: "ten thousand parts, parts of one size",
    48: "killed between archive and metadata",
    49: "killed while a backup is deleted",
    50: "objects of others under the prefix",
    51: "retention after a failed, empty or shrunken backup",
    52: "versions and Object Lock",
    53: "the data folder missing, empty or no folder",
    54: "files that change while they are read",
    55: "files that cannot be read",
    56: "every kind of odd file",
    58: "a temporary folder that is full or cannot be used",
    59: "an instance that does not stop, a hook that fails",
    60: "an instance that does not start again",
    61: "killed while instances are stopped",
    62: "archives that want to write elsewhere",
    63: "archives that want to use up memory or disk",
    64: "a restore without room",
    65: "a disk that fails while a restore replaces the folder",
    66: "every kind of place that the data folder may be",
    67: "killed in each phase of a swap",
    68: "the power goes while a restore replaces the folder",
    69: "a restore beside a backup, two restores",
    70: "an application that writes during the swap",
    71: "an application that is not well on what was restored",
    72: "a wrong key, an earlier one, none, a short one",
    73: "every byte flipped, every length cut, segments swapped",
    74: "the bucket taken back to an earlier state, or made plain",
    75: "nonces and salts",
    76: "every address with every method by everybody",
    77: "keys of backups that are none",
    78: "requests from other sites",
    79: "WebSockets of strangers, of those who left, in masses",
    80: "a flood of progress, and a Redis that says nothing",
    81: "addresses, names and redirects that lead to a cloud's credentials",
    82: "guessed passwords and tokens",
    83: "secrets looked for wherever they could show",
    84: "malformed, huge and doubled requests",
    85: "settings that cannot be meant",
    86: "a service that is found before it is set up",
    87: "backups and settings of older versions",
    88: "hours of random faults",
    89: "the database lost",
    90: "a drill that finds a backup damaged",
}
WITHOUT = {12, 24, 41, 57}  # numbers that no row has

INVARIANTS = {
    "I1": "at most one running job of a plan at any time",
    "I2": "every listed backup comes back byte for byte",
    "I3": "no half backup is listed",
    "I4": "instances end as they were",
    "I5": "the live folder is all old or all new",
    "I6": "no upload or staging folder is left over",
    "I7": "no failure costs a backup that was good",
    "I8": "no secret in logs, answers or the database",
}

_NAMED = re.compile(r"test_row_([0-9]+)_")


def rows_of_name(name: str) -> set[int]:
    return {int(number) for number in _NAMED.findall(name)}


def proofs_by_row(folder: Path) -> dict[int, list[str]]:
    """Tests below `folder` by the rows they belong to, without running or importing one."""
    found: dict[int, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        for function in _functions(path):
            for row in rows_of_name(function.name) | _marked(function):
                found[row].append(f"{path.name}::{function.name}")
    return found


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _marked(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[int]:
    calls = [node for node in function.decorator_list if isinstance(node, ast.Call)]
    return {
        int(ast.literal_eval(number))
        for call in calls
        if ast.unparse(call.func) == "pytest.mark.row"
        for number in call.args
    }
