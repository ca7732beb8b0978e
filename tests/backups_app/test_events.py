"""Publishing never harms whoever publishes."""

import uuid

import pytest
from django.db import connection, transaction

from backups_app import events
from backups_app.breaker import Breaker
from tests.support.service import make_job


def failing():
    raise ConnectionError("redis://:secret@host refused")


def test_a_failure_is_counted_and_swallowed_and_keeps_secrets(caplog):
    breaker = Breaker("Telling")
    assert breaker.call(failing) is False
    assert breaker.failed == 1
    assert "ConnectionError" in caplog.text
    assert "secret" not in caplog.text


def test_after_a_failure_nothing_is_tried_until_it_is_closed_again():
    breaker, calls = Breaker("Telling"), []
    breaker.call(failing)
    assert breaker.call(lambda: calls.append(1)) is False
    assert (calls, breaker.skipped) == ([], 1)
    breaker.reset()
    assert breaker.call(lambda: calls.append(1)) is True
    assert calls == [1]


def test_after_the_pause_it_is_tried_again():
    breaker = Breaker("Telling", pause=0)
    breaker.call(failing)
    assert breaker.call(lambda: None) is True


@pytest.mark.django_db(transaction=True)
def test_without_redis_publishing_says_false(settings):
    dead = {**settings.CHANNEL_LAYERS["default"], "CONFIG": {"hosts": ["redis://127.0.0.1:9/0"]}}
    settings.CHANNEL_LAYERS = {"default": dead}
    events.breaker.reset()
    assert events.publish(make_job().pk) is False
    events.breaker.reset()


@pytest.mark.django_db(transaction=True)
def test_a_job_that_cannot_be_read_is_not_published_and_nothing_is_raised():
    events.breaker.reset()
    assert events.publish(uuid.uuid4()) is False
    job = make_job()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE backups_app_job RENAME TO away")
    events.breaker.reset()
    try:
        assert events.publish(job.pk) is False
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO backups_app_job")
    events.breaker.reset()
    assert events.publish(job.pk) is True


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_announced(monkeypatch):
    told = []
    monkeypatch.setattr(events, "publish", told.append)
    with transaction.atomic():
        events.announce(make_job().pk)
        transaction.set_rollback(True)
    assert told == []
    events.announce(kept := make_job().pk)
    assert told == [kept]
