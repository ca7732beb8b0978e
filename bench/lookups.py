"""How long browsing, searching and comparing take: `python -m bench.lookups [FILES]`.

Two indexes of FILES files each (default 1,000,000, in 1,000 folders) are made in a scratch
folder; every hundredth file changed, every thousandth is gone, as many are new. Each look is
timed ten times from a newly opened index, as a request does it; the slowest counts.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from time import perf_counter, process_time

from worker.engine.archive.browse import list_folder, search
from worker.engine.archive.diff_kept import open_diff
from worker.engine.archive.index import FileRow, Index, SegmentRow
from worker.engine.archive.index_reader import IndexReader, order

FOLDERS = 1000
TIMES = 10
LIMIT = 1000  # entries of a page: the most that a request can ask for


def make(path: Path, files: int, *, newer: bool) -> None:
    index = Index(path)
    index.add_files(rows(files, newer=newer))
    index.locate((0, 0, number) for number in range(1, files + FOLDERS + 2))
    index.add_segments([SegmentRow(0, 0, 100, 1024, bytes(32))])
    index.finish({"name": "x", "format": "1"})
    order(path)


def rows(files: int, *, newer: bool) -> Iterator[FileRow]:
    yield FileRow(1, 1, b"", "d", 0o755, 0, 0, 0, 0, 0, 1)
    for n in range(FOLDERS):
        yield FileRow(n + 2, 1, b"folder-%04d" % n, "d", 0o755, 0, 0, 0, 0, 0, n + 2)
    for n in range(files):
        number = n + FOLDERS + 2
        name = b"%s-%07d.jpg" % (b"new" if newer and n % 1000 == 7 else b"message", n)
        time = 2 if newer and n % 100 == 0 else 1
        yield FileRow(
            number, n * FOLDERS // files + 2, name, "f", 0o644, 0, 0, 1000, time, 0, number
        )


def slowest(look: Callable[[], object], times: int = TIMES) -> tuple[float, float]:
    """Milliseconds by the clock, and of the processor."""

    def once() -> tuple[float, float]:
        clock, processor = perf_counter(), process_time()
        look()
        return (perf_counter() - clock) * 1000, (process_time() - processor) * 1000

    return max(once() for _ in range(times))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(files: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        old, new = base / "old.sqlite3", base / "new.sqlite3"
        make(old, files, newer=False)
        make(new, files, newer=True)

        def page_of_diff(after: int) -> None:
            with ExitStack() as stack:
                before, behind = (stack.enter_context(closing(IndexReader(p))) for p in (old, new))
                kept = stack.enter_context(open_diff(base / "kept", before, behind))
                kept.page(after, LIMIT)
                kept.counts()

        def browse() -> None:
            with closing(IndexReader(new)) as index:
                list_folder(index, b"folder-0500", limit=LIMIT)

        def find(pattern: str) -> Callable[[], None]:
            def look() -> None:
                with closing(IndexReader(new)) as index:
                    search(index, pattern, limit=LIMIT)

            return look

        looks: dict[str, tuple[Callable[[], object], int]] = {
            "a folder": (browse, TIMES),
            "search, many hits": (find("message"), TIMES),
            "search, one hit": (find("message-0999999.jpg"), TIMES),
            "search, no hit": (find("no such file"), TIMES),
            "difference, the first time": (lambda: page_of_diff(0), 1),
            "difference, first page": (lambda: page_of_diff(0), TIMES),
            "difference, page in the middle": (lambda: page_of_diff(6000), TIMES),
        }
        say(f"{files:,} files; milliseconds, slowest of {TIMES}: by the clock, of the processor")
        for name, (look, times) in looks.items():
            clock, processor = slowest(look, times)
            say(f"{name:32}{clock:10.0f}{processor:10.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
