"""A backup of a million files, looked into in the browser."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest
from playwright.sync_api import Page, expect

from bench.lookups import FOLDERS, rows
from tests.e2e.steps import bucket_of, unfold
from tests.launcher.launched import Launched
from tests.support.s3client import s3_client
from worker.engine.archive.index import Index, SegmentRow
from worker.engine.archive.index_object import pack_index
from worker.engine.config import PlanConfig
from worker.engine.metadata import Metadata, dump
from worker.engine.naming import archive_key, index_key, metadata_key

pytestmark = pytest.mark.xdist_group("dashboard")
FILES = 1_000_000
MOST = 200  # children of any list on the page


@pytest.fixture
def million(tarkeep: Launched, tmp_path: Path) -> Iterator[str]:
    """The newest backup of the bucket has so many files: an index as a backup writes it. Of the
    archive itself nothing is read here."""
    now = datetime.now(UTC)
    key = archive_key(PlanConfig(data_dir=tmp_path, temp_dir=tmp_path), now)
    archive = gzip.compress(bytes(1024))
    packed = pack_index(_index(tmp_path / "index", key, len(archive)), tmp_path / "packed", None)
    told = Metadata(
        timestamp=now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        size=len(archive),
        checksum=f"sha256:{hashlib.sha256(archive).hexdigest()}",
        compressed=True,
        encrypted=False,
        version="0.1.0",
        format_version=1,
        data_size=FILES * 1000,
        file_count=FILES,
        folder_count=FOLDERS + 1,
        segment_count=1,
        index_size=packed.size,
        index_checksum=f"sha256:{packed.sha256}",
    )
    bucket = bucket_of(tarkeep)
    client, where = s3_client(bucket), bucket.bucket
    client.put_object(Bucket=where, Key=key, Body=archive)
    client.put_object(Bucket=where, Key=index_key(key), Body=packed.path.read_bytes())
    client.put_object(Bucket=where, Key=metadata_key(key), Body=dump(told))
    yield key
    for name in (metadata_key(key), index_key(key), key):
        client.delete_object(Bucket=where, Key=name)


def _index(path: Path, key: str, size: int) -> Path:
    index = Index(path)
    index.add_files(rows(FILES, newer=False))
    index.locate((0, 0, number) for number in range(1, FILES + FOLDERS + 2))
    index.add_segments([SegmentRow(0, 0, size, 1024, bytes(32))])
    index.finish({"name": PurePosixPath(key).name, "format": "1"})
    return path


def longest_list(page: Page) -> int:
    return int(
        page.evaluate(
            "Math.max(...[...document.querySelectorAll('ul, ol, tbody, dl')]"
            ".map(list => list.children.length))"
        )
    )


def test_a_million_files_stay_smooth(million: str, signed_in) -> None:
    page: Page = signed_in()
    newest = unfold(page, "Backups")
    expect(newest).to_contain_text("1,000,000")
    newest.get_by_role("button", name="Files of the backup of").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="folder-0000/")).to_be_visible()
    assert longest_list(page) <= MOST
    dialog.get_by_role("button", name="folder-0042/").click()
    expect(dialog.get_by_role("row").filter(has_text="message-0042000.jpg")).to_be_visible()
    dialog.get_by_role("button", name="Next").click()
    expect(dialog.get_by_role("row").filter(has_text="message-0042100.jpg")).to_be_visible()
    assert longest_list(page) <= MOST
    dialog.get_by_role("searchbox").fill("message-0987654.jpg")
    dialog.get_by_role("button", name="Find").click()
    found = dialog.get_by_role("row").filter(has_text="folder-0987/message-0987654.jpg")
    expect(found).to_be_visible()
    dialog.get_by_role("searchbox").fill("message")
    dialog.get_by_role("searchbox").press("Enter")
    expect(dialog.get_by_role("row").filter(has_text="message-0000000.jpg")).to_be_visible()
    assert longest_list(page) <= MOST
