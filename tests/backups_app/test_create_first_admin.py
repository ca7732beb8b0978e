"""manage.py create_first_admin"""

import json
from io import StringIO

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command

from tests.support.people import person

pytestmark = pytest.mark.django_db


def first_admin():
    out = StringIO()
    call_command("create_first_admin", stdout=out)
    assert out.getvalue().count("\n") == 1
    return json.loads(out.getvalue())


def test_the_password_it_prints_lets_the_administrator_in():
    made = first_admin()
    assert made["username"] == "admin"
    user = authenticate(username="admin", password=made["password"])
    assert user is not None
    assert user.is_superuser
    assert user.is_staff


def test_it_does_nothing_when_an_administrator_exists():
    get_user_model().objects.create_superuser("root", "", "x")
    assert first_admin() == {"username": "admin", "password": None}
    assert get_user_model().objects.count() == 1


def test_a_second_run_does_not_tell_the_password_again():
    first_admin()
    assert first_admin()["password"] is None


def test_every_password_is_another():
    made = first_admin()["password"]
    get_user_model().objects.all().delete()
    assert first_admin()["password"] != made
    assert len(made) >= 20


def test_an_account_of_that_name_gets_no_right_and_another_name_is_taken():
    plain = get_user_model().objects.create_user("admin", password="x")
    made = first_admin()
    assert made["username"] == "admin2"
    assert authenticate(username="admin2", password=made["password"]).is_superuser
    plain.refresh_from_db()
    assert not plain.is_superuser
    assert first_admin()["password"] is None


def test_administrators_that_cannot_sign_in_count_for_none():
    users = get_user_model().objects
    users.create_superuser("root", "", "x", is_active=False)
    assert authenticate(username="admin", password=first_admin()["password"]) is not None
    users.filter(username="admin").delete()
    keeper = person("admin", name="keeper")
    assert first_admin()["password"]
    users.filter(username="admin").delete()
    users.filter(pk=keeper.pk).update(is_staff=True)
    assert first_admin()["password"] is None
