"""Where notifications may go, and how their settings are read."""

import pytest

from worker.engine.notify.guard import allowed
from worker.engine.notify.variables import addresses
from worker.engine.settings import read_settings


@pytest.mark.parametrize(
    ("host", "public", "private"),
    [
        ("93.184.216.34", True, True),
        ("2606:2800:220:1::1", True, True),
        ("127.0.0.1", False, True),
        ("192.168.1.10", False, True),
        ("10.0.0.1", False, True),
        ("::1", False, True),
        ("fd12::1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("2002:a9fe:a9fe::", False, False),
        ("fd00:ec2::254", False, False),
        ("100.64.0.1", False, True),
        ("100.101.102.103", False, True),
        ("100.100.100.200", False, False),
        ("fe80::1%eth0", False, False),
        ("224.0.0.1", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("localhost", False, False),
        ("", False, False),
    ],
)
def test_addresses_that_may_be_connected_to(host, public, private):
    assert (allowed(host, private=False), allowed(host, private=True)) == (public, private)


def test_addresses_are_split_at_commas_before_an_address_and_at_spaces():
    given = "mailto://a:b@c.example?to=x@y.example,z@y.example, ntfys://ntfy.sh/t jsons://h/"
    assert addresses(given) == (
        "mailto://a:b@c.example?to=x@y.example,z@y.example", "ntfys://ntfy.sh/t", "jsons://h/",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BACKUP_NOTIFY_URLS", "hunter2"),
        ("BACKUP_NOTIFY_URLS", "json://hunter2.example/"),
        ("BACKUP_HEARTBEAT_URL", "http://hunter2.example/"),
        ("BACKUP_HEARTBEAT_URL", "ftp://hunter2.example/"),
        ("BACKUP_NOTIFY_EVENTS", "failure,sucess"),
    ],
)
def test_wrong_addresses_are_named_but_not_quoted(tmp_path, name, value):
    problems = [
        one for one in read_settings({name: value}, base_dir=tmp_path).problems
        if one.variable == name
    ]  # fmt: skip
    assert len(problems) == 1
    assert "hunter2" not in repr(problems)
    assert problems[0].hint


def test_plain_http_is_taken_where_private_addresses_are(tmp_path):
    given = {"BACKUP_HEARTBEAT_URL": "http://kuma/x", "BACKUP_NOTIFY_ALLOW_PRIVATE": "true"}
    settings = read_settings(given, base_dir=tmp_path)
    assert settings.notify.heartbeat_url == "http://kuma/x"
    assert not [one for one in settings.problems if one.variable == "BACKUP_HEARTBEAT_URL"]
    assert "kuma" not in repr(settings)
