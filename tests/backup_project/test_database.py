"""How the service reaches its database."""

from __future__ import annotations

from pathlib import Path

from backup_project.settings import _database


def test_a_postgresql_that_is_gone_without_a_word_is_given_up_before_a_lease_ends() -> None:
    options = _database("postgres://user:secret@db.example/tarkeep")["OPTIONS"]
    assert options["connect_timeout"] + options["tcp_user_timeout"] / 1000 < 60
    assert options["keepalives_idle"] < 60


def test_what_the_address_says_of_the_connection_goes_first() -> None:
    options = _database("postgres://u@h/n?connect_timeout=9&sslmode=require")["OPTIONS"]
    assert (str(options["connect_timeout"]), options["sslmode"]) == ("9", "require")
    assert options["tcp_user_timeout"] == 25_000


def test_sqlite_is_opened_so_that_many_processes_may_write(tmp_path: Path) -> None:
    options = _database(f"sqlite:///{tmp_path}/var/own.sqlite3")["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "WAL" in options["init_command"]
