"""Looking into backups over the API, on a real bucket: files, search, diff, download, preview."""

from __future__ import annotations

import dataclasses
import gzip
import io
import os
import shutil
import tarfile
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from backups_app import files
from tests.support.s3client import s3_client
from tests.support.service import BEARER, KEY
from tests.support.webserver import web  # noqa: F401  (a fixture)
from worker.engine.archive.index_reader import CACHE
from worker.engine.backup import run_backup
from worker.engine.naming import index_key
from worker.engine.progress import Progress
from worker.engine.storage.s3 import open_storage

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MIB = 1024 * 1024
BASE = "/api/backup"
GETS = [
    f"{BASE}/files?backupKey=KEY",
    f"{BASE}/search?q=a&backupKey=KEY",
    f"{BASE}/diff?from=KEY&to=KEY",
    f"{BASE}/download?backupKey=KEY&path=a",
]


@pytest.fixture(params=["", "correct horse battery staple, and then some"], ids=["plain", "sealed"])
def backups(service_on_s3, settings, request):
    """Two backups, the older first: in the newer one file was added, one changed, one removed."""
    plan = dataclasses.replace(service_on_s3.plan, encryption_key=request.param or None)
    settings.TARKEEP = dataclasses.replace(service_on_s3, plan=plan)
    data, storage = plan.data_dir, open_storage(service_on_s3.storage)
    for number in range(25):
        (data / f"many/{number:02}.txt").parent.mkdir(exist_ok=True)
        (data / f"many/{number:02}.txt").write_text("x" * number)
    (data / "large.bin").write_bytes(os.urandom(3 * MIB))
    (data / os.fsdecode(b"odd-\xff")).write_text("odd")
    (data / "link").symlink_to("hello.txt")
    keys = [run_backup(plan, storage, Progress(), now=NOW).key]
    (data / "many/03.txt").unlink()
    (data / "many/04.txt").write_text("changed")
    (data / "added.txt").write_text("added")
    keys.append(run_backup(plan, storage, Progress(), now=NOW + timedelta(days=1)).key)
    # The second run looked into the first backup's index; the tests begin without one at hand.
    shutil.rmtree(plan.temp_dir / CACHE, ignore_errors=True)
    return keys


def paged(api, url, name, limit=7):
    """All pages of an answer, put together."""
    answer = api.get(f"{url}&limit={limit}").json()
    found = answer[name]
    while answer["next"] is not None:
        assert len(answer[name]) <= limit
        answer = api.get(f"{url}&limit={limit}&cursor={answer['next']}").json()
        found += answer[name]
    return found


def test_a_folder_is_listed_page_by_page(api, backups):
    top = api.get(f"{BASE}/files/?backupKey={backups[0]}").json()
    assert top["backupKey"] == backups[0]
    assert [(e["name"], e["kind"]) for e in top["entries"]] == [
        ("hello.txt", "file"), ("large.bin", "file"), ("link", "link"), ("many", "folder"),
        ("odd-\ufffd", "file"),
    ]  # fmt: skip
    assert top["entries"][0]["size"] == 6
    assert top["entries"][0]["modified"].endswith("Z")
    found = paged(api, f"{BASE}/files?backupKey=latest&path=/many/", "entries")
    assert [e["path"] for e in found] == [f"many/{n:02}.txt" for n in range(25) if n != 3]


def test_search_goes_through_the_newest_backups_page_by_page(api, backups):
    found = paged(api, f"{BASE}/search?q=*4.txt", "matches", limit=2)
    assert [(e["backupKey"], e["path"]) for e in found] == [
        (key, f"many/{n}4.txt") for key in reversed(backups) for n in range(3)
    ]  # fmt: skip
    one = api.get(f"{BASE}/search?q=added&backupKey={backups[0]}").json()
    assert one == {"matches": [], "skipped": [], "next": None}


def test_search_goes_on_beyond_what_one_answer_looks_into(api, backups, monkeypatch):
    monkeypatch.setattr(files, "SEARCHED", 1)
    first = api.get(f"{BASE}/search?q=hello").json()
    assert {match["backupKey"] for match in first["matches"]} == {backups[1]}
    assert first["next"]
    found = paged(api, f"{BASE}/search?q=hello", "matches", limit=100)
    assert [match["backupKey"] for match in found] == backups[::-1]


def test_search_says_which_backups_have_no_index(api, backups, service_on_s3):
    storage = service_on_s3.storage
    s3_client(storage).delete_object(Bucket=storage.bucket, Key=index_key(backups[1]))
    answer = api.get(f"{BASE}/search?q=hello").json()
    assert [match["backupKey"] for match in answer["matches"]] == [backups[0]]
    assert answer["skipped"] == [backups[1]]


def test_search_goes_on_after_a_backup_of_another_key(api, backups, service_on_s3):
    other = dataclasses.replace(service_on_s3.plan, encryption_key="another " * 5)
    storage, later = open_storage(service_on_s3.storage), NOW + timedelta(days=2)
    key = run_backup(other, storage, Progress(), now=later).key
    answer = api.get(f"{BASE}/search?q=hello").json()
    assert [match["backupKey"] for match in answer["matches"]] == backups[::-1]
    assert answer["skipped"] == [key]
    alone = api.get(f"{BASE}/search?q=hello&backupKey={key}")
    assert alone.status_code == 409
    assert alone.json()["code"] in ("ENCRYPTION_KEY_MISSING", "ENCRYPTION_KEY_WRONG")


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_diff_tells_what_changed_and_sums_it_up(api, backups, limit):
    url = f"{BASE}/diff?from={backups[0]}&to={backups[1]}"
    first = api.get(f"{url}&limit={limit}").json()
    assert first["totals"] == {
        "added": {"entries": 1, "bytes": 5},
        "removed": {"entries": 1, "bytes": 3},
        "changed": {"entries": 1, "bytes": 7},
    }
    assert [(c["change"], c["path"]) for c in paged(api, url, "changes", limit)] == [
        ("added", "added.txt"), ("removed", "many/03.txt"), ("changed", "many/04.txt")
    ]  # fmt: skip
    if first["next"]:
        assert api.get(f"{url}&limit={limit}&cursor={first['next']}").json()["totals"] is None


def test_a_file_is_downloaded_as_it_is(api, backups, service_on_s3):
    answer = api.get(f"{BASE}/download?backupKey={backups[0]}&path=large.bin")
    content = b"".join(answer.streaming_content)
    assert content == (service_on_s3.plan.data_dir / "large.bin").read_bytes()
    assert answer["Content-Length"] == str(3 * MIB)
    assert answer["Content-Disposition"] == 'attachment; filename="large.bin"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    answer.close()


def test_a_name_that_is_no_text_is_found_by_its_bytes(api, backups):
    (odd,) = (e for e in api.get(f"{BASE}/files?backupKey=latest").json()["entries"] if e["path64"])
    answer = api.get(f"{BASE}/download?backupKey=latest&path64={odd['path64']}")
    assert b"".join(answer.streaming_content) == b"odd"


@pytest.mark.parametrize("path", ["many", ""])
def test_a_folder_is_downloaded_as_an_archive(api, backups, path):
    answer = api.get(f"{BASE}/download?backupKey={backups[0]}&path={path}")
    raw = gzip.decompress(b"".join(answer.streaming_content))
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        names = tar.getnames()
    assert ("data/24.txt" if path else "data/many/24.txt") in names
    assert f'filename="{path or "data"}.tar.gz"' in answer["Content-Disposition"]


def test_under_the_real_server_downloads_are_streamed(backups, web, service_on_s3):  # noqa: F811
    for path, kind in (("large.bin", "application/octet-stream"), ("", "application/gzip")):
        url = f"http://{web}{BASE}/download?backupKey={backups[0]}&path={path}"
        request = urllib.request.Request(url, headers=BEARER)
        with urllib.request.urlopen(request) as answer:
            content = answer.read()
            assert answer.headers["Content-Type"] == kind
        expected = (service_on_s3.plan.data_dir / "large.bin").read_bytes()
        assert content == expected if path else expected in gzip.decompress(content)


@pytest.mark.parametrize(
    ("key", "code"), [("another " * 5, "ENCRYPTION_KEY_WRONG"), (None, "ENCRYPTION_KEY_MISSING")]
)
@pytest.mark.parametrize("backups", ["correct horse battery staple, and then some"], indirect=True)
def test_without_the_right_key_it_is_said_that_the_key_is_wrong(
    api, backups, service_on_s3, settings, key, code
):
    plan = dataclasses.replace(service_on_s3.plan, encryption_key=key)
    settings.TARKEEP = dataclasses.replace(service_on_s3, plan=plan)
    answer = api.get(f"{BASE}/files?backupKey={backups[1]}")
    assert (answer.status_code, answer.json()["code"]) == (409, code)


def test_what_is_not_there_is_not_found(api, backups):
    for url in (
        f"{BASE}/files?backupKey=latest&path=no",
        f"{BASE}/download?backupKey=latest&path=no",
    ):
        answer = api.get(url)
        assert (answer.status_code, answer.json()["code"]) == (404, "PATH_NOT_FOUND")
    for url in GETS:
        answer = api.get(url.replace("KEY", KEY))
        if "search" not in url:
            assert (answer.status_code, answer.json()["code"]) == (404, "BACKUP_NOT_FOUND"), url


def test_a_preview_tells_what_a_restore_would_do_and_changes_nothing(api, backups, service_on_s3):
    def preview(**body):
        return api.post(
            f"{BASE}/preview-restore/", {"backupKey": backups[0], **body}, "application/json"
        ).json()

    told = preview()
    assert [(c["change"], c["path"]) for c in told["changes"]] == [
        ("removed", "added.txt"), ("added", "many/03.txt"), ("replaced", "many/04.txt")
    ]  # fmt: skip
    assert told["totals"]["removed"] == {"entries": 1, "bytes": 5}
    assert (told["complete"], told["contentCompared"], told["more"]) == (True, False, False)
    assert [c["path"] for c in preview(paths=["many/*"], limit=1)["changes"]] == ["many/03.txt"]
    assert preview(limit=1)["more"] is True
    assert preview(paths=["nothing"])["code"] == "PATH_NOT_FOUND"
    assert not (service_on_s3.plan.data_dir / "many/03.txt").exists()


def test_an_archive_without_index_is_read_through_while_it_is_small(
    api, backups, service_on_s3, monkeypatch
):
    storage = service_on_s3.storage
    s3_client(storage).delete_object(Bucket=storage.bucket, Key=index_key(backups[0]))
    url = f"{BASE}/download?backupKey={backups[0]}&path=hello.txt"
    assert b"".join(api.get(url).streaming_content) == b"hello\n"
    monkeypatch.setattr("backups_app.files.READ_THROUGH", 1000)
    for answer in (api.get(url), api.get(f"{BASE}/files?backupKey={backups[0]}")):
        assert (answer.status_code, answer.json()["code"]) == (409, "INDEX_MISSING")


@pytest.mark.parametrize("url", GETS)
def test_a_bucket_out_of_reach_is_named(api, service, url):
    answer = api.get(url.replace("KEY", KEY))
    assert answer.status_code == 503
    assert answer.json()["code"] == "STORAGE_UNREACHABLE"


@pytest.mark.parametrize("url", GETS)
def test_a_malformed_key_is_refused_before_the_bucket_is_asked(api, service, url):
    answer = api.get(url.replace("KEY", "../etc/passwd"))
    assert answer.status_code == 400
    assert answer.json()["code"] == "KEY_MALFORMED"


@pytest.mark.parametrize(
    "query",
    [
        "files?backupKey=latest&limit=0", "files?path=a", "files?backupKey=latest&cursor=%F0",
        "search?q=", "search?q=a&cursor=bm8", "diff?from=latest",
        "diff?from=latest&to=latest&cursor=bm8", "files?backupKey=a%00b",
        "download?path=a",
    ],
)  # fmt: skip
def test_malformed_queries_are_refused(api, service, query):
    answer = api.get(f"{BASE}/{query}")
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message", "hint"}


@pytest.mark.parametrize("url", [*GETS, f"{BASE}/preview-restore"])
def test_strangers_see_nothing(client, service, url):
    answer = client.post(url) if "preview" in url else client.get(url)
    assert answer.status_code == 401
