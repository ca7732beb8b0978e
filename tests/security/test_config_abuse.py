"""Row 85: a setting that cannot be meant is named and not guessed at; nothing starts with it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launcher.launched import clean_environment
from worker.engine.errors import ConfigError
from worker.engine.settings import VARIABLES, read_settings, require

ROOT = Path(__file__).parents[2]
LONG = "k" * 40
GOOD = {
    "BACKUP_S3_BUCKET": "bucket", "BACKUP_S3_ACCESS_KEY": "a", "BACKUP_S3_SECRET_KEY": "s" * 40,
}  # fmt: skip
ABUSED = [
    ("BACKUP_SCHEDULE", "0 0 30 2 *"), ("BACKUP_SCHEDULE", "61 * * * *"),
    ("BACKUP_SCHEDULE", "0 2 * * * *"), ("BACKUP_SCHEDULE", "@reboot"),
    ("BACKUP_SCHEDULE", "٠ 2 * * *"), ("BACKUP_SCHEDULE", "0 2 * * * ; reboot"),
    ("BACKUP_VERIFY_SCHEDULE", "0 0 31 4 *"), ("BACKUP_DRILL_SCHEDULE", "often"),
    ("BACKUP_TIMEZONE", "Mars/Olympus"), ("BACKUP_TIMEZONE", "../../etc/passwd"),
    ("BACKUP_TIMEZONE", "UTC+3"), ("BACKUP_COMPRESSION_LEVEL", "0"),
    ("BACKUP_COMPRESSION_LEVEL", "10"), ("BACKUP_COMPRESSION_LEVEL", "-1"),
    ("BACKUP_MAX_BACKUPS", "0"), ("BACKUP_MAX_BACKUPS", "-1"), ("BACKUP_MAX_BACKUPS", "1e3"),
    ("BACKUP_KEEP_DAILY", "-1"), ("BACKUP_FULL_EVERY", "0"), ("BACKUP_CATCHUP_HOURS", "-1"),
    ("BACKUP_STALL_MINUTES", "0"), ("BACKUP_STALL_MINUTES", "nan"), ("BACKUP_LOG_FORMAT", "xml"),
    ("BACKUP_ENABLED", "maybe"), ("BACKUP_PREFIX", "a/../b"), ("BACKUP_NAME", "../a"),
    ("BACKUP_ENCRYPTION_KEY", "x" * 31), ("BACKUP_METRICS_TOKEN", "short"),
    ("BACKUP_API_TOKEN", "x" * 31), ("BACKUP_UPLOAD_LIMIT", "fast"), ("PORT", "0"),
    ("BACKUP_S3_ENDPOINT", "http://user:secret@host"), ("BACKUP_NOTIFY_EVENTS", "everything"),
]  # fmt: skip


def problems_of(given, folder):
    return read_settings({**GOOD, **given}, base_dir=folder).problems


@pytest.mark.parametrize(("name", "value"), ABUSED)
def test_row_85_what_cannot_be_meant_is_named_and_nothing_starts_with_it(tmp_path, name, value):
    (told,) = problems_of({name: value}, tmp_path)
    assert told.variable == name
    assert told.message.startswith(f"{name} ")
    assert told.hint
    assert "secret" not in told.message
    with pytest.raises(ConfigError, match=name):
        require(read_settings({**GOOD, name: value}, base_dir=tmp_path))


@pytest.mark.parametrize(
    "variable", [one for one in VARIABLES if one.secret], ids=lambda one: one.name
)
def test_row_85_a_secret_given_twice_is_refused_and_a_line_end_behind_it_is_not_part_of_it(
    tmp_path, variable
):
    file = tmp_path / "secret"
    value = "https://example.com/x" if variable.name.endswith("URL") else LONG
    value = {"REDIS_URL": "redis://h/0", "DATABASE_URL": "sqlite:///x"}.get(variable.name, value)
    value = "jsons://example.com/x" if variable.name == "BACKUP_NOTIFY_URLS" else value
    file.write_text(f"{value}\n")
    name = variable.name
    good = {key: kept for key, kept in GOOD.items() if key != name}
    once = read_settings({**good, f"{name}_FILE": str(file)}, base_dir=tmp_path)
    assert once.problems == ()
    twice = read_settings({**good, name: value, f"{name}_FILE": str(file)}, base_dir=tmp_path)
    assert [one.variable for one in twice.problems if one.variable in (name, f"{name}_FILE")]
    assert LONG not in repr(twice)


def test_row_85_every_reading_that_can_complain_is_heard(tmp_path):
    """Whatever the order in which settings are read: with all of them wrong, all are named."""
    wrong = {one.name: "\0" for one in VARIABLES if not one.secret}
    heard = {one.variable for one in read_settings(wrong, base_dir=tmp_path).problems}
    of_drivers = ("BACKUP_INSTANCE", "BACKUP_HOOK", "DOCKER")  # read when the driver is chosen
    unheard = {name for name in set(wrong) - heard if not name.startswith(of_drivers)}
    assert unheard <= {"BACKUP_EXCLUDE"}


def test_row_85_manage_check_fails_with_all_names_and_the_web_part_tells_them(tmp_path):
    wrong = {"BACKUP_SCHEDULE": "0 0 30 2 *", "BACKUP_VERIFY_SCHEDULE": "x", "PORT": "0"}
    env = {
        **clean_environment(), **GOOD, **wrong, "DATABASE_URL": f"sqlite:///{tmp_path}/x.sqlite3",
        "LOGS_PATH": str(tmp_path), "DJANGO_SETTINGS_MODULE": "backup_project.settings",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert set(re.findall(r"\(tarkeep\.(\w+)\)", done.stderr)) == set(wrong)
