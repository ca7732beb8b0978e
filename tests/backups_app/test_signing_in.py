"""Whoever guesses passwords has to wait. Row 82."""

import re
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from backups_app.models import AuditEntry, SignInAttempt
from backups_app.models.attempt import MOST_FOR_ADDRESS, MOST_FOR_NAME, WINDOW
from tests.support.people import person

pytestmark = pytest.mark.django_db
RIGHT = {"username": "ana", "password": "correct horse"}


def guess(name="ana", address="10.0.0.1", **headers):
    wrong = {"username": name, "password": "wrong"}
    return Client(REMOTE_ADDR=address, headers=headers).post("/login/", wrong)


def enter(address="10.0.0.1"):
    return Client(REMOTE_ADDR=address).post("/login/", RIGHT)


def test_row_82_guessing_for_one_account_is_stopped_and_says_for_how_long():
    person("viewer")
    assert [guess().status_code for _ in range(MOST_FOR_NAME)] == [200] * MOST_FOR_NAME
    refused = enter()
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == str(WINDOW.seconds)
    assert "Try again in 5 minutes" in refused.content.decode()
    assert enter(address="10.0.0.2").status_code == 302


def test_row_82_guessing_names_is_stopped_too():
    person("viewer")
    for number in range(4):
        person("viewer", name=f"bea{number}")
    for number in range(MOST_FOR_ADDRESS):
        assert guess(f"bea{number % 4}").status_code == 200
    assert enter().status_code == 429


def test_row_82_a_forged_header_makes_no_other_address():
    person("viewer")
    for number in range(MOST_FOR_NAME):
        guess(**{"X-Forwarded-For": f"192.0.2.{number}"})
    assert enter().status_code == 429
    assert set(SignInAttempt.objects.values_list("address", flat=True)) == {"10.0.0.1"}
    assert set(AuditEntry.objects.values_list("address", flat=True)) == {"10.0.0.1"}


def test_row_82_a_name_that_there_is_is_answered_as_one_that_there_is_not():
    person("viewer")
    answers = {
        name: [guess(name, address) for _ in range(MOST_FOR_NAME + 2)]
        for name, address in (("ana", "10.0.0.1"), ("nobody", "10.0.0.2"))
    }
    codes = {name: [one.status_code for one in told] for name, told in answers.items()}
    assert codes["ana"] == codes["nobody"] == [200] * MOST_FOR_NAME + [429] * 2
    texts = {name: [plain(one, name) for one in told] for name, told in answers.items()}
    assert texts["ana"] == texts["nobody"]


def plain(answer, name):
    """The page without what differs from one form to the next."""
    page = answer.content.decode().replace(f'value="{name}"', "")
    return re.sub('csrfmiddlewaretoken" value="[^"]+"', "", page)


@pytest.mark.django_db(transaction=True)
def test_row_82_of_many_guesses_at_once_no_more_are_judged():
    person("viewer")
    barrier, judged = threading.Barrier(20), []

    def one():
        barrier.wait()
        judged.append(guess().status_code)
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert judged.count(200) + judged.count(429) == 20
    assert judged.count(200) <= MOST_FOR_NAME
    assert AuditEntry.objects.filter(outcome="refused").count() == judged.count(200)


def test_row_82_that_one_was_stopped_is_told_once():
    person("viewer")
    for _ in range(MOST_FOR_NAME + 3):
        guess()
    told = AuditEntry.objects.filter(outcome="THROTTLED")
    assert [(entry.action, entry.actor, entry.address) for entry in told] == [
        ("login", "ana", "10.0.0.1")
    ]


def test_what_was_typed_as_a_name_is_not_kept():
    guess("hunter2")
    assert "hunter2" not in str(list(SignInAttempt.objects.values()))


def test_a_right_password_counts_as_no_guess():
    person("viewer")
    for _ in range(MOST_FOR_NAME + 1):
        assert enter().status_code == 302
    assert not SignInAttempt.objects.exists()


def test_after_a_while_one_may_try_again():
    person("viewer")
    for _ in range(MOST_FOR_NAME):
        guess()
    assert enter().status_code == 429
    SignInAttempt.objects.update(at=timezone.now() - WINDOW - timedelta(seconds=1))
    assert enter().status_code == 302
    assert not SignInAttempt.objects.exists()


@pytest.mark.parametrize(
    "following", ["https://evil.example/", "//evil.example", "/\\evil.example"]
)
def test_row_78_nobody_is_sent_elsewhere_after_signing_in(following):
    person("viewer")
    answer = Client().post("/login/", {**RIGHT, "next": following})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")


def test_the_admin_has_no_login_of_its_own():
    person("viewer")
    answer = Client().post("/admin/login/?next=/admin/auth/", RIGHT)
    assert answer.headers["Location"] == "/login/?next=%2Fadmin%2Fauth%2F"
