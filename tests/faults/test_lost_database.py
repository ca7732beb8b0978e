"""Row 89 of the fault matrix: the database is lost; bucket and key are left."""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from backups_app import bucket
from backups_app.models import Job, Trigger
from tests.engine.trees import describe
from tests.support.s3client import s3_client
from tests.support.service import BEARER
from worker.engine.backup import run_backup
from worker.engine.naming import archive_key
from worker.engine.progress import Progress
from worker.engine.settings import VARIABLES
from worker.engine.storage.s3 import open_storage

ROOT = Path(__file__).parents[2]
PASSPHRASE = "a passphrase of more than thirty-two characters"
NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)


@pytest.fixture
def saved(service_on_s3, settings):
    """A bucket with two encrypted backups that no database knows."""
    plan = replace(service_on_s3.plan, encryption_key=PASSPHRASE)
    settings.TARKEEP = replace(service_on_s3, plan=plan)
    storage = open_storage(service_on_s3.storage)
    for days in (1, 0):
        run_backup(plan, storage, Progress(), now=NOW - timedelta(days=days))
    return settings.TARKEEP


@pytest.fixture
def machine(tmp_path, saved):
    """A new machine: Tarkeep's files, bucket settings and key. Runs commands there."""
    home = tmp_path / "machine"
    home.mkdir()
    for name in ("manage.py", "backup_project", "backups_app", "worker"):
        (home / name).symlink_to(ROOT / name)
    bare = {name: value for name, value in os.environ.items() if not _ours(name)}
    env = bare | {
        "BACKUP_S3_BUCKET": saved.storage.bucket,
        "BACKUP_S3_ACCESS_KEY": saved.storage.access_key,
        "BACKUP_S3_SECRET_KEY": saved.storage.secret_key,
        "BACKUP_S3_ENDPOINT": saved.storage.endpoint,
        "BACKUP_ENCRYPTION_KEY": PASSPHRASE,
        "DATABASE_URL": f"sqlite:///{home}/new.sqlite3",
        "DJANGO_SETTINGS_MODULE": "backup_project.settings",
        "TARKEEP_SECRET_KEY": "x" * 40,
        "BACKUP_DATA_DIR": str(home / "data"),
        "BACKUP_TEMP_DIR": str(home / "temp"),
        "LOGS_PATH": str(home / "logs"),
    }

    def run(*command):
        done = subprocess.run(
            [sys.executable, *command], cwd=home, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.home = home
    return run


def _ours(name):
    return name == "DJANGO_SETTINGS_MODULE" or name in {n for v in VARIABLES for n in v.names}


@pytest.mark.django_db
def test_row_89_with_bucket_and_key_alone_all_is_listed_and_restored(saved, machine):
    listed = json.loads(machine("-m", "worker.engine.cli", "list", "--json"))
    assert len(listed["backups"]) == 2
    machine("-m", "worker.engine.cli", "restore", "latest", "--yes", "--quiet")
    assert describe(machine.home / "data") == describe(saved.plan.data_dir)


@pytest.mark.django_db
def test_row_89_an_empty_database_gets_its_history_back_and_restores(saved, machine):
    machine("manage.py", "migrate", "--verbosity", "0")
    assert "2 added to the history, 0 known already" in machine("manage.py", "import_catalogue")
    assert "0 added to the history, 2 known already" in machine("manage.py", "import_catalogue")
    with closing(sqlite3.connect(machine.home / "new.sqlite3")) as database:
        query = "SELECT kind, trigger, state, backup_key FROM backups_app_job ORDER BY created_at"
        rows = database.execute(query).fetchall()
    keys = [archive_key(saved.plan, NOW - timedelta(days=days)) for days in (1, 0)]
    assert rows == [("backup", "import", "SUCCEEDED", key) for key in keys]
    machine("-m", "worker.engine.cli", "restore", keys[0], "--yes", "--quiet")
    assert describe(machine.home / "data") == describe(saved.plan.data_dir)


@pytest.mark.django_db(transaction=True)
def test_row_89_status_shows_what_was_imported_and_watches_the_newest_again(saved, capsys):
    call_command("import_catalogue")
    told = capsys.readouterr()
    assert "Found 2 backups" in told.out
    assert archive_key(saved.plan, NOW) in told.out
    assert not told.err
    body = Client(headers=BEARER).get("/api/backup/status").json()
    assert body["lastBackup"]["trigger"] == Trigger.IMPORT
    assert body["lastBackup"]["backupKey"] == archive_key(saved.plan, NOW)
    assert body["lastBackup"]["result"]["files"] == 1
    assert datetime.fromisoformat(body["lastSuccess"]) >= NOW
    assert body["counts"]["backups"] == 2
    assert body["alerts"] == []
    s3 = s3_client(saved.storage)
    s3.delete_object(
        Bucket=saved.storage.bucket, Key=f"{archive_key(saved.plan, NOW)}.metadata.json"
    )
    bucket.refresh(saved)
    (alert,) = Client(headers=BEARER).get("/api/backup/status").json()["alerts"]
    assert alert["code"] == "HEAD_MISSING"


@pytest.mark.django_db(transaction=True)
def test_row_89_backups_that_the_present_key_does_not_open_are_named(saved, settings, capsys):
    plan = replace(saved.plan, encryption_key="another " * 8)
    settings.TARKEEP = replace(saved, plan=plan)
    call_command("import_catalogue")
    told = capsys.readouterr()
    assert Job.objects.count() == 2
    assert told.err.count("another key") == 2
    assert told.err.count("BACKUP_ENCRYPTION_KEY_PREVIOUS") == 2


@pytest.mark.row(87)
@pytest.mark.django_db
def test_row_89_archives_of_the_original_system_are_imported_verified_and_restored(
    service_on_s3, machine, saved
):
    """Plain tar.gz, a bare hex checksum, a timestamp with dashes."""
    shutil.rmtree(saved.plan.data_dir)
    (saved.plan.data_dir / "sub").mkdir(parents=True)
    (saved.plan.data_dir / "sub" / "a.json").write_text("{}")
    parent = saved.plan.data_dir.parent
    body = subprocess.check_output(["tar", "-cz", "--posix", "data"], cwd=parent)
    stamp = "2025-08-30T05-00-00-000Z"
    key = f"backups/whatsapp-data-backup-{stamp}.tar.gz"
    about = {
        "timestamp": stamp,
        "size": len(body),
        "checksum": hashlib.sha256(body).hexdigest(),
        "compressed": True,
        "encrypted": False,
        "version": "1.0.0",
    }
    s3 = s3_client(saved.storage)
    s3.put_object(Bucket=saved.storage.bucket, Key=key, Body=body)
    s3.put_object(
        Bucket=saved.storage.bucket, Key=f"{key}.metadata.json", Body=json.dumps(about).encode()
    )
    machine("manage.py", "migrate", "--verbosity", "0")
    assert f"The newest: {key}" in machine("manage.py", "import_catalogue")
    for check in ("verify", "drill"):
        told = json.loads(machine("-m", "worker.engine.cli", check, "latest", "--json"))
        assert (told["ok"], told["backupKey"], told["files"]) == (True, key, 1)
    machine("-m", "worker.engine.cli", "restore", "latest", "--yes", "--quiet")
    assert describe(machine.home / "data") == describe(saved.plan.data_dir)
