"""Make an index from a description of a tree, without a backup."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from hypothesis import strategies as st

from worker.engine.archive.index import FileRow, Index, SegmentRow
from worker.engine.archive.index_reader import IndexReader, order


class Node(NamedTuple):
    kind: str = "f"
    size: int = 0
    mode: int = 0o644
    mtime_ns: int = 0


Tree = dict[bytes, Node]

_names = st.sampled_from([b"a", b"b", b"c", b"A", b"a.txt", b"\xff", "ä".encode(), b"%", b"_"])
_paths = st.lists(_names, min_size=1, max_size=4).map(b"/".join)
_nodes = st.builds(
    Node,
    kind=st.sampled_from("fl"),
    size=st.integers(0, 3),
    mode=st.sampled_from([0o600, 0o644]),
    mtime_ns=st.integers(0, 2),
)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Files and links, and the folders above them; also some folders that hold nothing."""
    tree: Tree = {}
    for path in draw(st.lists(_paths, max_size=12)):
        parts = path.split(b"/")
        above = [b"/".join(parts[:n]) for n in range(1, len(parts))]
        if path in tree or any(tree.get(folder, Node("d")).kind != "d" for folder in above):
            continue
        node = draw(st.one_of(_nodes, st.just(Node("d", 0, 0o755, 7))))
        tree.update({folder: Node("d", 0, 0o755, 1) for folder in above if folder not in tree})
        tree[path] = node._replace(size=0) if node.kind == "l" else node
    return tree


@contextmanager
def indexed(
    tree: Tree,
    gone: frozenset[bytes] = frozenset(),
    *,
    name: str = "index",
    notes: Mapping[bytes, str] = MappingProxyType({}),
) -> Iterator[IndexReader]:
    """An opened index of the tree. What is `gone` was scanned, but is not in the archive."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.sqlite3"
        write_index(path, tree, gone, notes)
        reader = IndexReader(path)
        try:
            yield reader
        finally:
            reader.close()


def write_index(
    path: Path,
    tree: Tree,
    gone: frozenset[bytes],
    notes: Mapping[bytes, str] = MappingProxyType({}),
) -> None:
    index, ids = Index(path), {b"": 1}
    index.add_files([FileRow(1, 1, b"", "d", 0o755, 0, 0, 0, 0, 0, 0)])
    for number, name in zip(
        itertools.count(2), sorted(tree, key=lambda p: p.count(b"/")), strict=False
    ):
        parent, _, last = name.rpartition(b"/")
        node, ids[name] = tree[name], number
        index.add_files(
            [
                FileRow(
                    number, ids[parent], last, node.kind, node.mode, 0, 0, node.size,
                    node.mtime_ns, 0, number,
                )
            ]
        )  # fmt: skip
    index.locate((0, 0, number) for name, number in ids.items() if name not in gone)
    for name, note in notes.items():
        index.note(ids[name], note)
    index.add_segments([SegmentRow(0, 0, 100, 1024, bytes(32))])
    index.finish({"name": "x", "format": "1"})
    order(path)
