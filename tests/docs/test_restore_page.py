"""docs/restore.md is followed literally: its commands are run, section by section.

On real servers, as somebody would type them, in a folder that holds what Tarkeep's folder holds.
Only the address of the web part is another, since port 8000 may be taken.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

import pytest
import redis

from tests.engine.trees import describe
from tests.support import pages
from tests.support.celeryworker import Worker, environment
from tests.support.root import needs_root
from tests.support.service import TOKEN
from worker import tasks
from worker.engine.backup import run_backup
from worker.engine.damage import DAMAGE
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.storage.s3 import open_storage

ROOT = Path(__file__).parents[2]
PAGE = pages.page("restore.md")
NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)  # the time in the page's example of a key
PASSPHRASE = "a passphrase of more than thirty-two characters"
PATIENCE = 120


def commands(heading):
    return pages.commands(PAGE, heading)


@pytest.fixture
def saved(service_on_s3, settings):
    """An encrypted backup under the page's key, of a folder with a database."""
    data = service_on_s3.plan.data_dir
    (data / "instance-1").mkdir()
    (data / "instance-1" / "state.json").write_text('{"a": 1}')
    (data / "link").symlink_to("instance-1/state.json")
    with closing(sqlite3.connect(data / "chats.db")) as database, database:
        database.execute("CREATE TABLE chats (name TEXT)")
    plan = replace(service_on_s3.plan, encryption_key=PASSPHRASE)
    settings.TARKEEP = replace(service_on_s3, plan=plan)
    run_backup(plan, open_storage(service_on_s3.storage), Progress(), now=NOW)
    return settings.TARKEEP


@pytest.fixture
def folder(tmp_path):
    """What lies in Tarkeep's folder once it is installed."""
    home = tmp_path / "tarkeep"
    home.mkdir()
    names = ("manage.py", "backup_project", "backups_app", "worker", "scripts")
    for name in names:
        (home / name).symlink_to(ROOT / name)
    (home / ".venv").symlink_to(sys.prefix)
    return home


@pytest.fixture
def typed(saved, folder, redis_url):
    """Runs a script as typed in that folder; its output."""

    def run(script, **more):
        env = environment(saved, redis_url=redis_url) | {
            "BACKUP_ENCRYPTION_KEY": PASSPHRASE,
            "PATH": f"{folder}/.venv/bin:{os.environ['PATH']}",
            "TOKEN": TOKEN,
            **more,
        }
        command = ["bash", "-eu", "-o", "pipefail", "-c", script]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def spoil(saved):
    """What the backup held; the folder is another afterwards."""
    before = describe(saved.plan.data_dir)
    shutil.rmtree(saved.plan.data_dir / "instance-1")
    (saved.plan.data_dir / "chats.db").write_bytes(b"spoilt")
    return before


@pytest.mark.django_db(transaction=True)
def test_on_the_command_line(saved, folder, typed):
    before = spoil(saved)
    told = typed(commands("On the command line"))
    assert describe(saved.plan.data_dir) == before
    assert "is whole" in told
    assert told.count("What was there before is kept in") == 2


@pytest.mark.django_db(transaction=True)
def test_undo(saved, typed):
    """The second command names the page's own example: a copy that a restore of that time left."""
    before = describe(saved.plan.data_dir)
    spoil(saved)
    spoilt = describe(saved.plan.data_dir)
    run_restore(saved.plan, open_storage(saved.storage), Progress(), key="latest", now=NOW)
    undo, named = pages.blocks(pages.section(PAGE, "Undo"))
    typed(undo)
    assert describe(saved.plan.data_dir) == spoilt
    run_restore(saved.plan, open_storage(saved.storage), Progress(), key="latest", now=NOW)
    assert "folder" in typed(named)
    assert describe(saved.plan.data_dir) == spoilt
    assert before != spoilt


@pytest.mark.django_db(transaction=True)
def test_one_file_or_folder(saved, folder, typed):
    spoil(saved)
    typed(commands("One file or folder"))
    assert (folder / "state-of-then.json").read_text() == '{"a": 1}'
    assert (saved.plan.data_dir / "instance-1" / "state.json").read_text() == '{"a": 1}'
    assert (saved.plan.data_dir / "chats.db").read_bytes() == b"spoilt"
    assert (folder / "instance-of-then" / "instance-1" / "state.json").exists()


@pytest.mark.django_db(transaction=True)
def test_what_would_change(saved, typed):
    spoil(saved)
    before = describe(saved.plan.data_dir)
    told = typed(commands("What would change"))
    assert "+ instance-1/state.json" in told
    assert "~ chats.db" in told
    assert describe(saved.plan.data_dir) == before


@pytest.mark.django_db(transaction=True)
def test_the_state_of_a_time(saved, typed):
    spoil(saved)
    told = typed(commands("The state of a time"))
    assert "+ instance-1/state.json" in told
    assert (saved.plan.data_dir / "instance-1" / "state.json").exists()
    assert (saved.plan.data_dir / "chats.db").read_bytes() == b"spoilt"


@pytest.mark.django_db(transaction=True)
@needs_root("the page says that it takes root")
def test_what_a_restore_does_not_bring_back(saved, typed):
    program = saved.plan.data_dir / "program"
    program.touch()
    program.chmod(0o4755)
    run_backup(saved.plan, open_storage(saved.storage), Progress(), now=NOW + timedelta(days=1))
    script = commands("What a restore does not bring back")
    typed(script.replace("sudo ", ""))
    assert program.stat().st_mode & 0o7777 == 0o4755


@pytest.mark.django_db(transaction=True)
def test_restore_unhealthy(saved, typed):
    """With a check that is never content, but was so before the restore."""
    before = spoil(saved)
    well = f"grep -q spoilt {saved.plan.data_dir}/chats.db"
    wrong = {"BACKUP_INSTANCE_HEALTH_COMMAND": well, "BACKUP_INSTANCE_READY_TIMEOUT": "1"}
    with pytest.raises(AssertionError, match="was not well"):
        typed(".venv/bin/tarkeep restore latest --yes", **wrong)
    told = typed(commands("RESTORE_UNHEALTHY"), **wrong)
    assert "failed restore" in told
    assert describe(saved.plan.data_dir) == before


@pytest.mark.django_db(transaction=True)
def test_over_the_api(saved, typed, web, redis_url):
    tasks.hints.reset()
    with redis.Redis.from_url(redis_url) as client:
        client.delete("backup.main")
    before = spoil(saved)
    key = {"BACKUP_ENCRYPTION_KEY": PASSPHRASE}
    worker = Worker.start(environment(saved, redis_url=redis_url) | key)
    *_, ask = script = re.split(r"(?=^curl)", commands("Over the API"), flags=re.MULTILINE)
    here = f"export TARKEEP=http://{web}\n"
    try:
        told = typed("".join([here, *script[1:]]))
        assert '"message":"Restore queued"' in told
        end = monotonic() + PATIENCE
        while (job := json.loads(typed(here + ask))["jobs"][0])["state"] != "SUCCEEDED":
            assert job["state"] in {"PENDING", "RUNNING"}, job["error"]
            assert monotonic() < end
            sleep(0.5)
    finally:
        worker.kill()
    assert "TARKEEP=http://127.0.0.1:8000" in script[0]
    assert Path(job["result"]["safetyCopy"]).is_dir()
    assert describe(saved.plan.data_dir) == before


@pytest.mark.django_db(transaction=True)
def test_on_a_new_machine(saved, folder, typed):
    new = {
        "BACKUP_DATA_DIR": str(folder / "data"),
        "DATABASE_URL": f"sqlite:///{folder}/new.sqlite3",
    }
    told = typed(commands("On a new machine"), **new)
    assert describe(folder / "data") == describe(saved.plan.data_dir)
    assert "Found 1 backups" in told
    assert "1 added to the history" in told


@pytest.mark.django_db(transaction=True)
def test_an_archive_from_elsewhere(saved, folder, typed):
    data = saved.plan.data_dir
    packed = folder / "old.tar.gz"
    subprocess.run(["tar", "--posix", "-czf", packed, "-C", data.parent, "data"], check=True)
    before = spoil(saved)
    keys, *_ = pages.blocks(pages.section(PAGE, "By hand, without Tarkeep"))
    told = typed(keys + commands("An archive from elsewhere"))
    assert describe(data) == before
    assert "+ instance-1/state.json" in told
    assert "2025-08-28" not in typed(".venv/bin/tarkeep list")


@pytest.mark.django_db(transaction=True)
def test_by_hand_without_tarkeep(saved, folder, typed):
    before = spoil(saved)
    told = typed(commands("By hand, without Tarkeep"))
    assert describe(saved.plan.data_dir) == before
    checksum = re.search(r"^([0-9a-f]{64})  whatsapp-data-backup.tar.gz$", told, re.MULTILINE)
    assert checksum
    assert f'"checksum": "sha256:{checksum[1]}"' in told
    assert Path(f"{saved.plan.data_dir}.before", "chats.db").read_bytes() == b"spoilt"


@pytest.mark.django_db(transaction=True)
def test_drills(saved, typed):
    assert "4 files" in typed(commands("Drills"))


def test_every_section_that_tells_to_type_something_is_followed():
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    typed = [name for name in headings if "```sh" in pages.section(PAGE, name)]
    wanted = {"test_" + re.sub(r"\W+", "_", name.lower()) for name in typed}
    assert len(wanted) >= 11
    assert wanted <= globals().keys()


def test_every_kind_of_damage_has_its_line():
    (section,) = re.findall(r"^## When a backup is damaged\n(.*)", PAGE, re.DOTALL | re.MULTILINE)
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    told = {code for row in rows for code in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}
    assert told == DAMAGE
