"""Wrong settings: `manage.py check` names all of them, and the web part comes up all the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRONG = {
    "BACKUP_COMPRESSION_LEVEL": "10",
    "BACKUP_SCHEDULE": "0 2 * *",
    "BACKUP_TIMEZONE": "Mars/Olympus",
    "BACKUP_MAX_BACKUPS": "0",
    "BACKUP_ENCRYPTION_KEY": "short-secret-value",
    "BACKUP_ENABLED": "yes",
    "TARKEEP_ALLOWED_HOSTS": "*",
    "BACKUP_S3_BUCKET": "",
}


@pytest.fixture
def manage(tmp_path):
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "backup_project.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path}/wrong.sqlite3",
        "LOGS_PATH": str(tmp_path),
    }

    def run(*arguments, **variables):
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, env={**env, **variables}, cwd=ROOT, capture_output=True, text=True
        )

    return run


def test_all_problems_are_named_together_with_ids_and_hints(manage):
    done = manage("check", **WRONG)
    assert done.returncode == 1
    for variable in WRONG:
        assert f"(tarkeep.{variable}) {variable} " in done.stderr
    assert done.stderr.count("HINT: ") >= len(WRONG)
    assert "BACKUP_S3_BUCKET is not configured" in done.stderr
    assert "short-secret-value" not in done.stderr


def test_right_settings_pass(manage):
    right = dict.fromkeys(("BUCKET", "ACCESS_KEY", "SECRET_KEY"), "x" * 8)
    done = manage("check", **{f"BACKUP_S3_{name}": value for name, value in right.items()})
    assert (done.returncode, done.stdout) == (
        0,
        "System check identified no issues (0 silenced).\n",
    )


def test_tables_and_administrator_are_made_all_the_same(manage):
    assert manage("migrate", **WRONG).returncode == 0
    assert '"password": "' in manage("create_first_admin", **WRONG).stdout


def test_no_migration_is_missing(manage):
    done = manage("makemigrations", "--check", "--dry-run", "--skip-checks")
    assert done.returncode == 0, done.stdout


def test_the_openapi_schema_is_valid(manage, tmp_path):
    file = tmp_path / "schema.yaml"
    done = manage(
        "spectacular", "--validate", "--fail-on-warn", "--skip-checks", "--file", str(file)
    )
    assert done.returncode == 0, done.stderr
    assert "/api/backup/jobs/{job_id}/cancel" in file.read_text()
