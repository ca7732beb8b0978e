"""Exact reads over chunks of any size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.engine.archive.chunks import ChunkReader


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=20), max_size=10),
    sizes=st.lists(st.integers(1, 30), max_size=30),
)
def test_whatever_is_given_back_comes_again(chunks: list[bytes], sizes: list[int]) -> None:
    whole = b"".join(chunks)
    seen: list[bytes] = []
    reader = ChunkReader(iter(chunks), seen.append)
    at = 0
    for number, size in enumerate(sizes):
        piece = reader.exactly(size)
        assert piece == whole[at : at + size]
        if number % 2:
            reader.push_back(memoryview(piece)[size // 2 :])
            piece = piece[: size // 2]
        at += len(piece)
        assert reader.position == at
    assert whole.startswith(b"".join(seen))
