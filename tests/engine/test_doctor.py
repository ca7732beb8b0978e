"""`tarkeep doctor` as a shell uses it."""

from __future__ import annotations

import json
import re

import pytest

from tests.engine.test_cli import Shell, shell
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.storage.capabilities import key_of
from worker.engine.storage.provider import _HOSTS, _SERVERS
from worker.engine.storage.quirks import QUIRKS
from worker.engine.storage.s3 import open_storage

__all__ = ["shell"]


def test_a_healthy_set_up_passes_and_what_was_found_is_kept(
    shell: Shell, storage_config: StorageConfig
) -> None:
    report = shell.json("doctor")
    assert report["ok"] is True
    assert report["capabilities"]["range_copy"] is True
    assert "bad" not in {one["level"] for one in report["findings"]}
    assert [found.key for found in open_storage(storage_config).list("")] == [key_of(PlanConfig())]


def test_the_time_in_the_schedules_zone_is_told_also_while_it_is_off(shell: Shell) -> None:
    report = shell.json("doctor", BACKUP_TIMEZONE="Asia/Kathmandu")
    (zone,) = [one["text"] for one in report["findings"] if one["about"] == "time zone"]
    there, here = re.fullmatch(
        r"Asia/Kathmandu, where it is (\d\d:\d\d) now, (\d\d:\d\d) UTC", zone
    ).groups()
    apart = minutes(there) - minutes(here)
    assert apart % (24 * 60) == 5 * 60 + 45


def minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


@pytest.mark.parametrize(
    ("env", "code", "told"),
    [
        ({"BACKUP_S3_SECRET_KEY": "wrong" * 8}, 4, "S3 refuses the credentials"),
        ({"BACKUP_S3_ENDPOINT": "http://127.0.0.1:1"}, 4, "Failed to connect to S3"),
        ({"BACKUP_S3_BUCKET": "no-such-bucket-here"}, 4, "does not exist"),
        ({"BACKUP_SCHEDULE": "never"}, 2, "BACKUP_SCHEDULE"),
        ({"BACKUP_DATA_DIR": "./nowhere"}, 3, "is no folder that can be read"),
        ({"BACKUP_S3_CA_BUNDLE": "./nowhere.pem"}, 2, "BACKUP_S3_CA_BUNDLE"),
        ({"BACKUP_S3_OBJECT_LOCK_DAYS": "3"}, 4, "the bucket has no Object Lock"),
        ({"BACKUP_NOTIFY_URLS": "mailtos://a:b@c.example, smoke://x"}, 2, "address 2 (smoke)"),
    ],
)
def test_what_is_wrong_is_named_with_its_exit_code(
    shell: Shell, env: dict[str, str], code: int, told: str
) -> None:
    ran = shell.run("doctor", "--json", **env)
    assert ran.returncode == code
    report = json.loads(ran.stdout)
    (bad,) = [one for one in report["findings"] if one["level"] == "bad"]
    assert told in bad["about"] + bad["text"]
    assert report["ok"] is False
    assert "wrongwrong" not in ran.stdout + ran.stderr


def test_a_key_that_opens_no_backup_is_noticed(shell: Shell, storage_config: StorageConfig) -> None:
    keys = {name: {"BACKUP_ENCRYPTION_KEY": name * 40} for name in "ab"}
    assert shell.run("backup", **keys["a"]).returncode == 0
    ran = shell.run("doctor", "--json", **keys["a"])
    told = {one["about"]: one for one in json.loads(ran.stdout)["findings"]}
    assert (ran.returncode, told["key"]["level"]) == (0, "ok")
    assert told["backups"]["text"].startswith("1, the newest of 20")
    assert "a restore needs" in told["room"]["text"]
    assert shell.run("doctor", **keys["b"]).returncode == 6
    lost = {"BACKUP_ENCRYPTION_KEY": "b" * 40, "BACKUP_ENCRYPTION_KEY_PREVIOUS": "a" * 40}
    assert shell.run("doctor", **lost).returncode == 0


def test_what_a_provider_is_known_for_is_said_of_providers_that_can_be_told() -> None:
    told = {*_HOSTS.values(), *_SERVERS.values()}
    assert set(QUIRKS) <= told


def test_findings_are_lines_for_people(shell: Shell) -> None:
    ran = shell.run("doctor", BACKUP_S3_ENDPOINT="http://127.0.0.1:1")
    lines = ran.stdout.splitlines()
    assert "ok    settings: nothing is wrong with them" in lines
    assert any(line.startswith("BAD   bucket: Failed to connect to S3") for line in lines)
