"""GET settings"""

from dataclasses import replace

import pytest

from backup_project.web_settings import WEB_VARIABLES, in_effect
from worker.engine.settings import VARIABLES

pytestmark = pytest.mark.django_db
URL = "/api/backup/settings"
SECRET = "a-secret-of-more-than-thirty-two-characters"


def test_every_setting_is_told_and_no_secret(api, service, settings, monkeypatch, tmp_path):
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", SECRET)
    monkeypatch.setenv("BACKUP_MAX_BACKUPS", "many")
    monkeypatch.delenv("BACKUP_NAME")
    for name in ("BACKUP_API_TOKEN", "BACKUP_API_TOKEN_FILE"):
        monkeypatch.delenv(name)
    file = tmp_path / "token"
    file.write_text(SECRET)
    (tmp_path / ".env").write_text(f"BACKUP_NAME=mine\nBACKUP_API_TOKEN_FILE={file}\n")
    settings.SETTINGS_IN_EFFECT = in_effect(tmp_path)
    answer = api.get(URL)
    assert SECRET not in answer.text
    told = {one["name"]: (one["value"], one["origin"]) for one in answer.json()["settings"]}
    assert set(told) == {variable.name for variable in (*VARIABLES, *WEB_VARIABLES)}
    assert told["BACKUP_ENCRYPTION_KEY"] == ("set", "environment")
    assert told["BACKUP_API_TOKEN"] == ("set", "secret file")
    assert told["BACKUP_NAME"] == ("mine", ".env")
    assert told["BACKUP_MAX_BACKUPS"] == ("3", "default")
    assert told["BACKUP_S3_BUCKET"] == ("nowhere", "environment")


def test_the_schedules_are_taken_apart_with_their_next_five_runs(api, service, settings):
    settings.TARKEEP = replace(service, enabled=True, schedule="0 2 * * 1-5")
    answer = api.get(URL).json()
    backup, verify, drill = answer["schedules"]
    assert backup["shape"] == {
        "every": "week",
        "step": 0,
        "minute": 0,
        "times": ["02:00"],
        "days": [1, 2, 3, 4, 5],
    }
    assert len(backup["next"]) == len(verify["next"]) == 5
    assert (drill["on"], drill["shape"], drill["next"]) == (False, None, [])
    assert answer["timezone"] == service.timezone


def test_strangers_see_nothing(client, service):
    assert client.get(URL).status_code == 401
