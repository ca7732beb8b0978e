"""The names and origins the web part answers to, and the key that signs sessions."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from backup_project.secret_key import secret_key
from backup_project.web_settings import read_web_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def read(monkeypatch, tmp_path):
    def reading(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return read_web_settings(tmp_path)

    return reading


def test_by_default_only_this_machine_is_answered(read):
    web = read()
    assert web.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
    assert (web.trusted_origins, web.problems) == ((), ())


def test_lists_are_read(read):
    web = read(
        TARKEEP_ALLOWED_HOSTS="backup.example.com, localhost",
        TARKEEP_TRUSTED_ORIGINS="https://backup.example.com,https://*.example.org",
    )
    assert web.allowed_hosts == ("backup.example.com", "localhost")
    assert web.trusted_origins == ("https://backup.example.com", "https://*.example.org")


@pytest.mark.parametrize("value", ["*", "localhost,*", "https://x", "a b"])
def test_odd_hosts_are_named_and_the_default_stands(read, value):
    web = read(TARKEEP_ALLOWED_HOSTS=value)
    assert web.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
    assert [problem.variable for problem in web.problems] == ["TARKEEP_ALLOWED_HOSTS"]
    assert web.problems[0].hint


@pytest.mark.parametrize("value", ["example.com", "https://", "https://x/path", "ftp://x", "*"])
def test_odd_origins_are_named(read, value):
    assert [p.variable for p in read(TARKEEP_TRUSTED_ORIGINS=value).problems] == [
        "TARKEEP_TRUSTED_ORIGINS"
    ]


def test_a_given_key_is_taken_and_none_is_written(tmp_path):
    assert secret_key("given", tmp_path / "key") == "given"
    assert not (tmp_path / "key").exists()


def test_proxies_and_the_rate_are_read(read):
    web = read(TARKEEP_TRUSTED_PROXIES="127.0.0.1, 172.18.0.0/16,::1", TARKEEP_API_RATE="0")
    assert [str(network) for network in web.trusted_proxies] == [
        "127.0.0.1/32",
        "172.18.0.0/16",
        "::1/128",
    ]
    assert (web.api_rate, web.problems) == (0, ())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("TARKEEP_TRUSTED_PROXIES", v)
            for v in ("*", "0.0.0.0/0", "::/0", "nginx", "10.0.0.1/8")
        ),
        *(("TARKEEP_API_RATE", v) for v in ("-1", "many", "1e3", "99999999")),
    ],
)
def test_wrong_proxies_and_rates_are_named(read, name, value):
    assert [problem.variable for problem in read(**{name: value}).problems] == [name]


def test_a_key_is_made_once_for_us_alone(tmp_path):
    file = tmp_path / "var" / "key"
    made = secret_key("", file)
    assert len(made) > 60
    assert secret_key("", file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_processes_that_start_together_agree_on_the_key(tmp_path):
    code = (
        "import sys; from pathlib import Path; from backup_project.secret_key import secret_key;"
        "print(secret_key('', Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "key")]
    started = [
        subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE)
        for _ in range(8)
    ]
    assert len({process.communicate(timeout=60)[0] for process in started}) == 1
