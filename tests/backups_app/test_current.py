"""Settings that are changed while Tarkeep runs."""

from dataclasses import replace

import pytest

from backups_app import current
from worker.engine.settings import Problem, read_settings


@pytest.fixture
def dotenv(service, settings, tmp_path):
    """Writes a line into the `.env` that is read, which was empty."""
    settings.BASE_DIR = tmp_path
    settings.WEB_PROBLEMS = (Problem("TARKEEP_ALLOWED_HOSTS", "wrong", "mend it"),)
    settings.TARKEEP = settings.TARKEEP_READ = read_settings(base_dir=tmp_path)
    return lambda text: (tmp_path / ".env").write_text(text)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("BACKUP_SCHEDULE", "BACKUP_API_TOKEN_FILE", "BACKUP_API_TOKEN", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)


def test_a_changed_schedule_counts_without_a_restart(dotenv, settings):
    dotenv("BACKUP_SCHEDULE=0 3 * * *\n")
    current.refresh()
    assert settings.TARKEEP.schedule == "0 3 * * *"
    assert settings.WEB_PROBLEMS[0] in settings.TARKEEP.problems


def test_a_wrong_value_is_a_problem_and_a_right_one_ends_it(dotenv, settings):
    dotenv("BACKUP_SCHEDULE=never\n")
    current.refresh()
    assert "BACKUP_SCHEDULE" in {one.variable for one in settings.TARKEEP.problems}
    dotenv("BACKUP_SCHEDULE=@daily\n")
    current.refresh()
    assert "BACKUP_SCHEDULE" not in {one.variable for one in settings.TARKEEP.problems}


def test_a_secret_in_a_file_is_read_again(dotenv, settings, tmp_path):
    dotenv("BACKUP_API_TOKEN_FILE=token\n")
    for secret in ("a" * 40, "b" * 40):
        (tmp_path / "token").write_text(secret)
        current.refresh()
        assert settings.TARKEEP.api_token == secret


def test_what_is_wired_up_at_the_start_stays_and_a_restart_is_asked_for(dotenv, settings, caplog):
    before = settings.TARKEEP.redis_url
    dotenv("REDIS_URL=redis://elsewhere.example:6379/0\nBACKUP_SCHEDULE=@daily\n")
    current.refresh()
    assert (settings.TARKEEP.redis_url, settings.TARKEEP.schedule) == (before, "0 0 * * *")
    assert "A restart is needed for: redis_url" in caplog.text


def test_what_did_not_change_is_left_alone(dotenv, settings):
    settings.TARKEEP = replace(settings.TARKEEP, schedule="* * * * *")
    current.refresh()
    assert settings.TARKEEP.schedule == "* * * * *"
