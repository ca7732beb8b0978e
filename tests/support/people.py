"""Accounts with a role, as tests need them."""

from __future__ import annotations

import time

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Group
from django.test import Client

from backups_app.groups import write_roles
from backups_app.signing_in import SIGNED_IN_AT


def person(role: str = "", name: str = "ana") -> AbstractUser:
    """A user with that role, or with none."""
    user = get_user_model().objects.create_user(name, password="correct horse")
    if role:
        write_roles()  # a test with real transactions empties all tables behind it
        user.groups.add(Group.objects.get(name=role))
    return user


def superuser(name: str = "root") -> AbstractUser:
    return get_user_model().objects.create_superuser(name, "", "correct horse")


def browser_of(role: str = "", name: str = "ana", *, age: int = 0) -> Client:
    """A browser whose user has signed in `age` seconds ago."""
    return browser_with(person(role, name), age=age)


def browser_with(user: AbstractUser, *, age: int = 0) -> Client:
    client = Client()
    client.force_login(user)
    session = client.session
    session[SIGNED_IN_AT] = time.time() - age
    session.save()
    return client
