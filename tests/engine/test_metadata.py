"""Metadata: ours, the original system's, and what hostile hands put into the bucket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.errors import ArchiveError
from worker.engine.metadata import MAX_SIZE, Metadata, dump, load

KEY = "backups/x.tar.gz"
SHA = "ab" * 32
PLAIN: dict[str, Any] = {
    "timestamp": "2025-08-29T05:00:00.000Z",
    "size": 123,
    "checksum": f"sha256:{SHA}",
    "compressed": True,
    "encrypted": False,
    "version": "0.1.0",
}


def raw(**changes: Any) -> bytes:
    return json.dumps({**PLAIN, **changes}).encode()


def test_the_six_fields_are_what_is_written() -> None:
    metadata = Metadata(**PLAIN)
    assert json.loads(dump(metadata)) == PLAIN
    assert load(dump(metadata), KEY) == metadata


def test_more_is_written_in_camel_case() -> None:
    metadata = Metadata(**PLAIN, file_count=5, duration_seconds=1.5, key_id="aa", fence=0)
    written = json.loads(dump(metadata))
    assert written == PLAIN | {"fileCount": 5, "durationSeconds": 1.5, "keyId": "aa", "fence": 0}
    assert load(dump(metadata), KEY) == metadata


def test_fields_we_do_not_know_are_kept() -> None:
    metadata = load(raw(database={"kind": "sqlite"}, hostName="gateway"), KEY)
    assert metadata.extra == {"database": {"kind": "sqlite"}, "hostName": "gateway"}
    assert json.loads(dump(metadata))["hostName"] == "gateway"


def test_metadata_of_the_original_system_is_read() -> None:
    metadata = load(
        raw(timestamp="2025-08-29T05-00-00-000Z", checksum=SHA.upper(), version="1.0.0"), KEY
    )
    assert metadata.timestamp == "2025-08-29T05:00:00.000Z"
    assert metadata.checksum == f"sha256:{SHA}"


@pytest.mark.parametrize(
    ("given_time", "expected"),
    [
        ("2025-08-29T02:00:00-03:00", "2025-08-29T05:00:00.000Z"),
        ("2025-08-29T05:00:00", "2025-08-29T05:00:00.000Z"),
        ("2025-08-29T05:00:00.123456Z", "2025-08-29T05:00:00.123Z"),
    ],
)
def test_times_are_brought_to_one_form(given_time: str, expected: str) -> None:
    assert load(raw(timestamp=given_time), KEY).timestamp == expected


def test_a_byte_order_mark_and_null_fields_do_no_harm() -> None:
    metadata = load(b"\xef\xbb\xbf" + raw(fileCount=None), KEY)
    assert metadata.file_count is None


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b'"x"', b"1", b"\xff\xfe", b"{}", b"\0", b"<html>",
        b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5_000, b" " * (MAX_SIZE + 1),
        raw(size=-1), raw(size="1"), raw(size=True), raw(size=1.5), raw(size=2**63), raw(size=None),
        raw(compressed="true"), raw(compressed=1), raw(encrypted=None), raw(checksum=5),
        raw(timestamp="yesterday"), raw(timestamp="0001-01-01T00:00:00+10:00"), raw(timestamp=1),
        raw(version=[]), raw(fileCount="many"), raw(durationSeconds=-1), raw(keyId={}),
        raw().replace(b"123", b"NaN"), raw(durationSeconds=0).replace(b": 0}", b": Infinity}"),
        raw(durationSeconds=0)[:-1].replace(b'"durationSeconds": 0', b'"durationSeconds": 1e999}'),
        raw(hostName=5).replace(b": 5}", b": 1e999}"),
        raw(hostName="x").replace(b'"x"', b'"\\ud800"'),
        *[json.dumps({k: v for k, v in PLAIN.items() if k != gone}).encode() for gone in PLAIN],
    ],
    ids=lambda content: repr(content[:40]),
)  # fmt: skip
def test_what_cannot_be_used_is_refused(content: bytes) -> None:
    with pytest.raises(ArchiveError) as caught:
        load(content, KEY)
    assert caught.value.code == "METADATA_INVALID"
    assert KEY in caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*PLAIN, "fileCount", "keyId", "extra", "other"]), JSON))
def test_no_json_gets_past_the_checks_half_read(changes: dict[str, Any]) -> None:
    metadata = load_or_refuse(raw(**changes))
    assert metadata is None or load(dump(metadata), KEY) == metadata


def load_or_refuse(content: bytes) -> Metadata | None:
    try:
        return load(content, KEY)
    except ArchiveError:
        return None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    with pytest.raises(ArchiveError):
        load(content, KEY)
