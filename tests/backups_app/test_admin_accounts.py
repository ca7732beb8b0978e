"""Accounts and tokens in the admin: nobody rises, nothing goes without a recent login."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission

from backups_app.models import ApiToken, AuditEntry
from backups_app.tokens import make_token
from tests.support.people import browser_with, person, superuser

pytestmark = pytest.mark.django_db
USERS, TOKENS = "/admin/auth/user/", "/admin/backups_app/apitoken/"
LONG = "correct horse battery"


@pytest.fixture
def keeper():
    """An administrator by role, no superuser."""
    return person("admin", name="keeper")


def form_of(user, **changes):
    """What the page of that account sends."""
    given = {"username": user.username, "is_active": "on", **changes}
    day, hour = f"{user.date_joined:%Y-%m-%d}", f"{user.date_joined:%X}"
    for name in ("date_joined", "initial-date_joined"):
        given |= {f"{name}_0": day, f"{name}_1": hour}
    return {name: value for name, value in given.items() if value is not None}


def again(user):
    return get_user_model().objects.get(pk=user.pk)


def test_row_86_an_administrator_by_role_makes_nobody_a_superuser(keeper):
    bea, browser = person("viewer", name="bea"), browser_with(keeper)
    beyond = Permission.objects.get(codename="delete_logentry")
    stronger = Group.objects.create(name="stronger")
    stronger.permissions.add(beyond)
    for target in (keeper, bea):
        page = f"{USERS}{target.pk}/change/"
        assert 'name="is_superuser"' not in browser.get(page).content.decode()
        form = form_of(target, is_superuser="on", user_permissions=[beyond.pk])
        browser.post(page, form)
        browser.post(page, {**form, "groups": [stronger.pk]})
        now = again(target)
        assert not now.is_superuser
        assert not now.has_perm("admin.delete_logentry")


def test_row_86_an_administrator_by_role_takes_over_nobody_who_may_more(keeper):
    root, asleep = superuser(), person("", name="asleep")
    asleep.user_permissions.add(Permission.objects.get(codename="delete_logentry"))
    get_user_model().objects.filter(pk=asleep.pk).update(is_active=False)
    browser = browser_with(keeper)
    for target in (root, asleep):
        before = again(target)
        password = {"password1": LONG, "password2": LONG, "usable_password": "true"}
        for path, form in (
            ("password", password),
            ("change", form_of(target, is_active=None)),
            ("delete", {"post": "yes"}),
        ):
            answer = browser.post(f"{USERS}{target.pk}/{path}/", form)
            assert answer.status_code == 403, (target, path)
        browser.post(
            USERS, {"action": "delete_selected", "_selected_action": [target.pk], "post": "y"}
        )
        now = again(target)
        assert (now.password, now.is_active) == (before.password, before.is_active)


def test_an_administrator_by_role_gives_roles_and_changes_are_told_with_before_and_after(keeper):
    bea = person("viewer", name="bea")
    restorer = Group.objects.get(name="restorer")
    form = form_of(bea, groups=[restorer.pk], email="bea@example.com", is_active=None)
    assert browser_with(keeper).post(f"{USERS}{bea.pk}/change/", form).status_code == 302
    assert list(again(bea).groups.all()) == [restorer]
    told = AuditEntry.objects.get(action="change")
    assert (told.actor, told.target) == ("keeper", "user bea")
    assert told.details["changed"] == {
        "email": ["", "bea@example.com"],
        "is_active": [True, False],
        "groups": [["viewer"], ["restorer"]],
    }


def test_of_a_new_password_only_that_it_is_new_is_told(keeper):
    bea = person("viewer", name="bea")
    form = {"password1": LONG, "password2": LONG, "usable_password": "true"}
    assert browser_with(keeper).post(f"{USERS}{bea.pk}/password/", form).status_code == 302
    assert again(bea).check_password(LONG)
    assert AuditEntry.objects.get(action="change").details == {"changed": {"password": []}}
    assert LONG not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    "page", ["{users}add/", "{users}{pk}/change/", "{users}{pk}/password/", "{users}{pk}/delete/",
             "{tokens}add/", "/admin/auth/group/add/"],
)  # fmt: skip
def test_accounts_and_tokens_want_a_recent_login(page):
    root = superuser()
    url = page.format(users=USERS, tokens=TOKENS, pk=root.pk)
    old = browser_with(root, age=16 * 60)
    for method in (old.get, old.post):
        answer = method(url, {"name": "x", "role": "admin", "days": "1", "post": "yes"})
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/login/?again=1&next=%2Fadmin%2F")
    assert browser_with(root).get(url).status_code == 200
    assert not ApiToken.objects.exists()
    assert old.get(USERS).status_code == old.get(TOKENS).status_code == 200


def test_the_text_of_a_token_is_on_its_page_and_in_no_cookie():
    browser = browser_with(superuser())
    answer = browser.post(f"{TOKENS}add/", {"name": "x", "role": "viewer", "days": "30"})
    token = ApiToken.objects.get()
    text = answer.content.decode().partition('id="token-text">')[2].partition("<")[0]
    assert ApiToken.objects.of(text) == token
    assert "no-store" in answer.headers["Cache-Control"]
    assert text not in str(browser.cookies)
    assert text not in browser.get(TOKENS, follow=True).content.decode()
    told = AuditEntry.objects.get(action="tokens")
    assert told.target == f"x (tk_{token.prefix})"
    assert told.details["role"] == "viewer"


def test_tokens_are_revoked_after_a_question():
    browser = browser_with(superuser())
    token, text = make_token(name="x", role="admin")
    ask = {"action": "revoke", "_selected_action": [token.pk]}
    assert "no way back" in browser.post(TOKENS, ask).content.decode()
    assert ApiToken.objects.of(text)
    assert browser.post(TOKENS, {**ask, "sure": "yes"}).status_code == 302
    assert ApiToken.objects.of(text) is None
    assert AuditEntry.objects.get().details == {"revoked": 1}
    old = browser_with(superuser("old"), age=3600)
    assert "/login/?again=1" in old.post(TOKENS, {**ask, "sure": "yes"}).headers["Location"]
