"""Settings: defaults, strict reading, all problems together, and no secret ever shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.errors import ConfigError
from worker.engine.settings import VARIABLES, Settings, read_settings, require

SECRET = "s3cret-" * 6
GOOD = {
    "BACKUP_S3_BUCKET": "my-bucket",
    "BACKUP_S3_ACCESS_KEY": "AKIA-ACCESS",
    "BACKUP_S3_SECRET_KEY": "wJalr/secret+key",
}


def read(tmp_path: Path = Path("/srv"), **changes: str) -> Settings:
    return read_settings({**GOOD, **changes}, base_dir=tmp_path)


def problems(settings: Settings) -> dict[str, str]:
    return {problem.variable: problem.message for problem in settings.problems}


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = read()
    assert settings.problems == ()
    assert (settings.enabled, settings.schedule) == (False, "0 2 * * *")
    assert (settings.timezone, settings.port) == ("America/Sao_Paulo", 8000)
    assert (settings.api_token, settings.embedded_s3) == ("", False)
    assert settings.logs_path == Path("/srv/logs")
    assert settings.redis_url == "redis://127.0.0.1:6379/0"
    assert settings.database_url == "sqlite:////srv/var/tarkeep.sqlite3"
    assert (settings.storage.region, settings.storage.endpoint) == ("us-east-1", "")
    assert settings.storage.use_instance_role is False


def test_the_defaults_of_the_plan_are_those_of_the_documentation() -> None:
    plan = read().plan
    assert (plan.data_dir, plan.temp_dir) == (Path("/srv/data"), Path("/srv/temp"))
    assert (plan.name, plan.prefix) == ("whatsapp-data-backup", "backups/")
    assert (plan.compression_level, plan.max_backups) == (6, 3)
    assert (plan.encryption_key, plan.previous_keys, plan.stop_instances) == (None, (), False)


def test_every_value_is_read() -> None:
    settings = read(
        BACKUP_ENABLED="true",
        BACKUP_SCHEDULE="@hourly",
        BACKUP_TIMEZONE="Europe/Lisbon",
        BACKUP_MAX_BACKUPS="7",
        BACKUP_STOP_INSTANCES="1",
        BACKUP_S3_REGION="eu-west-1",
        BACKUP_S3_ENDPOINT="https://s3.example.com:9000/",
        BACKUP_COMPRESSION_LEVEL="9",
        BACKUP_ENCRYPTION_KEY=SECRET,
        BACKUP_ENCRYPTION_KEY_PREVIOUS=f"{'a' * 32}, {'b' * 32}",
        BACKUP_API_TOKEN="t" * 32,
        BACKUP_DATA_DIR="/data",
        BACKUP_NAME="my.backup_1",
        BACKUP_PREFIX="a/b",
        PORT="80",
        REDIS_URL="rediss://:password@redis.example.com/2",
        DATABASE_URL="postgres://user:password@db/tarkeep",
    )
    assert settings.problems == ()
    assert (settings.enabled, settings.schedule) == (True, "0 * * * *")
    assert (settings.timezone, settings.port) == ("Europe/Lisbon", 80)
    assert settings.storage.endpoint == "https://s3.example.com:9000"
    assert settings.storage.access_key == "AKIA-ACCESS"
    assert settings.storage.secret_key == "wJalr/secret+key"
    assert settings.plan.encryption_key == SECRET
    assert settings.plan.previous_keys == ("a" * 32, "b" * 32)
    assert settings.plan.data_dir == Path("/data")
    assert (settings.plan.name, settings.plan.prefix) == ("my.backup_1", "a/b/")
    assert settings.database_url == "postgres://user:password@db/tarkeep"


def test_an_empty_value_is_no_value() -> None:
    settings = read(BACKUP_COMPRESSION_LEVEL="", BACKUP_PREFIX="  ", BACKUP_ENCRYPTION_KEY="")
    assert settings == read()


@pytest.mark.parametrize(
    ("given_prefix", "prefix"), [("a", "a/"), ("a/", "a/"), ("a/b//", "a/b/"), ("/", "")]
)
def test_the_prefix_ends_with_a_slash_or_is_empty(given_prefix: str, prefix: str) -> None:
    settings = read(BACKUP_PREFIX=given_prefix)
    assert (settings.plan.prefix, settings.problems) == (prefix, ())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BACKUP_ENABLED", "yes"), ("BACKUP_ENABLED", "on"), ("BACKUP_ENABLED", "2"),
        ("BACKUP_SCHEDULE", "0 2 * *"), ("BACKUP_SCHEDULE", "0 2 31 2 *"),
        ("BACKUP_TIMEZONE", "Mars/Olympus"), ("BACKUP_TIMEZONE", "America"),
        ("BACKUP_MAX_BACKUPS", "0"), ("BACKUP_MAX_BACKUPS", "-1"), ("BACKUP_MAX_BACKUPS", "3.0"),
        ("BACKUP_COMPRESSION_LEVEL", "0"), ("BACKUP_COMPRESSION_LEVEL", "10"),
        ("BACKUP_COMPRESSION_LEVEL", "٣"), ("BACKUP_COMPRESSION_LEVEL", "1_0"),
        ("BACKUP_COMPRESSION_LEVEL", "+6"), ("PORT", "0"), ("PORT", "65536"), ("PORT", "http"),
        ("BACKUP_S3_BUCKET", "s3://bucket"), ("BACKUP_S3_BUCKET", "a/b"), ("BACKUP_S3_BUCKET", "x"),
        ("BACKUP_S3_REGION", "eu west"), ("BACKUP_S3_ENDPOINT", "s3.example.com"),
        ("BACKUP_S3_ENDPOINT", "ftp://host"), ("BACKUP_S3_ENDPOINT", "http://"),
        ("BACKUP_S3_ENDPOINT", "http://host:port"), ("BACKUP_S3_ENDPOINT", "http://[::1"),
        ("BACKUP_S3_ENDPOINT", "http://host?a=b"), ("BACKUP_S3_ENDPOINT", "http://h st"),
        ("BACKUP_NAME", "Backup"), ("BACKUP_NAME", "a/b"), ("BACKUP_NAME", "../a"),
        ("BACKUP_NAME", ".a"), ("BACKUP_PREFIX", "/a"), ("BACKUP_PREFIX", "a/../b"),
        ("BACKUP_PREFIX", "a//b"), ("BACKUP_PREFIX", "../"), ("BACKUP_PREFIX", "a b/"),
        ("BACKUP_ENCRYPTION_KEY", "x" * 31), ("BACKUP_ENCRYPTION_KEY_PREVIOUS", f"{SECRET},short"),
        ("BACKUP_API_TOKEN", "x" * 31), ("BACKUP_API_TOKEN", "with a blank " * 5),
        ("BACKUP_S3_SECRET_KEY", "two words"), ("BACKUP_S3_ACCESS_KEY", "schlüssel"),
        ("REDIS_URL", "127.0.0.1:6379"), ("REDIS_URL", "http://redis"),
        ("DATABASE_URL", "mysql://x/y"), ("TARKEEP_SECRET_KEY", "short"),
        ("TARKEEP_EMBEDDED_S3", "yes"), ("BACKUP_DATA_DIR", "a\0b"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_and_its_default_stands(name: str, value: str) -> None:
    settings = read(**{name: value})
    (problem,) = settings.problems
    assert problem.variable == name
    assert problem.message.startswith(f"{name} ")
    assert problem.hint
    without = read_settings({k: v for k, v in GOOD.items() if k != name}, base_dir=Path("/srv"))
    assert without.plan == settings.plan
    assert without.storage == settings.storage


def test_all_problems_are_named_together() -> None:
    wrong = {
        "BACKUP_COMPRESSION_LEVEL": "10",
        "BACKUP_SCHEDULE": "0 2 * *",
        "BACKUP_TIMEZONE": "Nowhere",
        "BACKUP_MAX_BACKUPS": "0",
        "BACKUP_ENCRYPTION_KEY": "short",
        "BACKUP_ENABLED": "yes",
    }
    settings = read(**wrong)
    assert problems(settings).keys() == wrong.keys()
    with pytest.raises(ConfigError) as caught:
        require(settings)
    assert caught.value.code == "CONFIG_INVALID"
    assert all(name in caught.value.message for name in wrong)


def test_a_missing_bucket_is_told_in_the_words_people_search_for() -> None:
    settings = read(BACKUP_S3_BUCKET="")
    assert problems(settings) == {"BACKUP_S3_BUCKET": "BACKUP_S3_BUCKET is not configured"}
    with pytest.raises(ConfigError) as caught:
        require(settings)
    assert caught.value.message == "BACKUP_S3_BUCKET is not configured"
    assert caught.value.code == "BUCKET_NOT_CONFIGURED"


def test_good_settings_are_required_without_a_word() -> None:
    require(read())


@pytest.mark.parametrize("missing", ["BACKUP_S3_ACCESS_KEY", "BACKUP_S3_SECRET_KEY"])
def test_both_keys_are_needed(missing: str) -> None:
    assert problems(read(**{missing: ""})).keys() == {missing}
    assert problems(read(**{missing: "", "BACKUP_S3_USE_INSTANCE_ROLE": "true"})).keys() == {
        missing
    }


def test_an_instance_role_needs_no_keys() -> None:
    settings = read_settings({"BACKUP_S3_BUCKET": "b-1", "BACKUP_S3_USE_INSTANCE_ROLE": "true"})
    assert (settings.problems, settings.storage.use_instance_role) == ((), True)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BACKUP_ENCRYPTON_KEY", "BACKUP_ENCRYPTION_KEY"),
        ("BACKUP_SHEDULE", "BACKUP_SCHEDULE"),
        ("BACKUP_S3_ENDPOINTS", "BACKUP_S3_ENDPOINT"),
    ],
)
def test_a_misspelt_name_is_noticed(name: str, meant: str) -> None:
    (problem,) = read(**{name: SECRET}).problems
    assert problem.variable == name
    assert meant in problem.hint


def test_names_of_others_are_none_of_our_business() -> None:
    assert read(BACKUP_HOST="x", PATH="/bin", BACKUPS="y", TARKEEP_COLOUR="red").problems == ()


SECRETS = [variable.name for variable in VARIABLES if variable.secret]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_read_from_a_file_without_its_line_end(tmp_path: Path, name: str) -> None:
    value = {
        "REDIS_URL": "redis://:password@host/1",
        "DATABASE_URL": "postgres://user:password@host/name",
        "BACKUP_NOTIFY_URLS": "jsons://host.example/path",
        "BACKUP_HEARTBEAT_URL": "https://host.example/ping",
    }.get(name, SECRET)
    (tmp_path / "secret").write_text(value + "\r\n")
    others = {k: v for k, v in GOOD.items() if k != name}
    from_file = read_settings({**others, f"{name}_FILE": "secret"}, base_dir=tmp_path)
    assert from_file == read_settings({**others, name: value}, base_dir=tmp_path)
    assert from_file.problems == ()
    assert from_file != read_settings(others, base_dir=tmp_path)


def test_a_secret_given_twice_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    settings = read(tmp_path, BACKUP_ENCRYPTION_KEY=SECRET, BACKUP_ENCRYPTION_KEY_FILE="secret")
    assert problems(settings).keys() == {"BACKUP_ENCRYPTION_KEY"}


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe" * 20, b"x" * 70_000])
def test_an_unusable_secret_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    settings = read(tmp_path, BACKUP_ENCRYPTION_KEY_FILE="secret")
    assert problems(settings).keys() == {"BACKUP_ENCRYPTION_KEY_FILE"}


def test_settings_that_are_no_secrets_have_no_file_form(tmp_path: Path) -> None:
    (problem,) = read(tmp_path, BACKUP_S3_ENDPOINT_FILE="x").problems
    assert "BACKUP_S3_ENDPOINT_FILE is not a setting" in problem.message


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of our own and an environment without any of our variables."""
    for variable in VARIABLES:
        for name in variable.names:
            monkeypatch.delenv(name, raising=False)
    return tmp_path


def write_env(folder: Path, text: str) -> None:
    (folder / ".env").write_text(text, encoding="utf-8")


def test_dotenv_is_read_and_the_environment_wins(
    process: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_env(process, "# ours\nBACKUP_NAME=from-file\nexport PORT=81\nBACKUP_S3_BUCKET='b-1'\n")
    monkeypatch.setenv("BACKUP_NAME", "from-environment")
    settings = read_settings(base_dir=process)
    assert (settings.plan.name, settings.port) == ("from-environment", 81)
    assert settings.storage.bucket == "b-1"


def test_a_secret_in_dotenv_is_taken_as_it_stands(process: Path) -> None:
    secret = "pa$${HOME}ss#word" * 3
    write_env(process, f"\ufeffBACKUP_ENCRYPTION_KEY={secret}\n")
    assert read_settings(base_dir=process).plan.encryption_key == secret


def test_a_file_in_the_environment_silences_the_value_in_dotenv(
    process: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_env(process, f"BACKUP_ENCRYPTION_KEY={'e' * 40}\n")
    (process / "secret").write_text(SECRET)
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY_FILE", "secret")
    settings = read_settings(base_dir=process)
    assert settings.plan.encryption_key == SECRET
    assert "BACKUP_ENCRYPTION_KEY" not in problems(settings)


@pytest.mark.parametrize("content", [b"PORT=81\nnot a line\n", b"\xff\xfe\x00"])
def test_a_damaged_dotenv_is_named(process: Path, content: bytes) -> None:
    (process / ".env").write_bytes(content)
    assert ".env" in problems(read_settings(base_dir=process))


def test_reading_leaves_the_environment_alone(process: Path) -> None:
    write_env(process, "BACKUP_NAME=from-file\n")
    before = dict(os.environ)
    read_settings(base_dir=process)
    assert dict(os.environ) == before


def test_no_secret_is_shown_by_repr_or_by_a_problem() -> None:
    marked = {name: "!!marked!! " + name for name in SECRETS}
    marked["BACKUP_S3_ENDPOINT"] = "http://user:!!marked!!@host"
    shown = repr(read(**marked))
    assert "BACKUP_S3_ACCESS_KEY holds characters" in shown
    assert "!!marked!!" not in shown
    assert "wJalr" not in repr(read())


@given(
    st.dictionaries(
        st.sampled_from([name for variable in VARIABLES for name in variable.names]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
    )
)
def test_nothing_that_is_set_makes_reading_fail(environ: Mapping[str, Any]) -> None:
    settings = read_settings(environ, base_dir=Path("/srv"))
    assert all(problem.hint and problem.message for problem in settings.problems)


def test_every_variable_says_what_it_is_for_and_has_a_default_that_it_takes() -> None:
    assert len({variable.name for variable in VARIABLES}) == len(VARIABLES)
    for variable in VARIABLES:
        assert variable.about
        variable.read(variable.default)
