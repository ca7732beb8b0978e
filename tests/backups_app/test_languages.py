"""Pages in the reader's language; what programs read in one."""

from __future__ import annotations

import gettext
import re
from pathlib import Path

import pytest
from django.test import Client

from tests.support.people import browser_of

APP = Path(__file__).resolve().parents[2] / "backups_app"
LOCALE = APP / "locale" / "pt_BR" / "LC_MESSAGES"
TEXT = r'"((?:[^"\\]|\\.)*)"'
BLOCK = r"{% blocktranslate([^%]*)%}(.*?){% endblocktranslate %}"
PORTUGUESE = {"Accept-Language": "pt-PT,pt;q=0.9"}


def catalog(domain: str) -> gettext.GNUTranslations:
    with (LOCALE / f"{domain}.mo").open("rb") as compiled:
        return gettext.GNUTranslations(compiled)


def texts_of_modules() -> set[str]:
    found: set[str] = set()
    for module in (APP / "static/backups_app/js").rglob("*.js"):
        if "vendor" not in module.parts:
            found |= set(re.findall(rf"\b(?:_|ngettext)\(\s*{TEXT}", module.read_text()))
    return found


def texts_of_templates() -> set[str]:
    found: set[str] = set()
    for template in (APP / "templates").rglob("*.html"):
        found |= set(re.findall(rf"{{% translate {TEXT}", template.read_text()))
        for trimmed, block in re.findall(BLOCK, template.read_text(), re.DOTALL):
            told = re.sub(r"{{ (\w+) }}", r"%(\1)s", block)
            found.add(" ".join(told.split()) if "trimmed" in trimmed else told)
    return found


@pytest.mark.parametrize(
    ("domain", "texts"),
    [("djangojs", texts_of_modules()), ("django", texts_of_templates())],
    ids=["dashboard", "templates"],
)
def test_each_text_has_its_translation_compiled(domain, texts):
    assert len(texts) > 20
    portuguese = catalog(domain)
    plurals = {key[0] for key in portuguese._catalog if isinstance(key, tuple)}
    known = plurals | {key for key, told in portuguese._catalog.items() if told}
    assert texts - known == set()


def test_what_stands_for_a_value_is_the_same_in_both_languages():
    for text, told in catalog("djangojs")._catalog.items():
        original = text[0] if isinstance(text, tuple) else text
        if original:
            names = set(re.findall(r"\{(\w+)\}", original)) - {"count"}
            assert names == set(re.findall(r"\{(\w+)\}", told)) - {"count"}, original


@pytest.mark.django_db
def test_pages_are_in_the_language_that_the_browser_asks_for(service):
    page = Client().get("/login/", headers=PORTUGUESE)
    assert 'lang="pt-br"' in page.text
    assert "Nome de usuário" in page.text
    assert "User name" in Client().get("/login/", headers={"Accept-Language": "fr"}).text


@pytest.mark.django_db
def test_the_button_of_the_other_language_holds(service):
    browser = browser_of("viewer")
    answer = browser.post("/language/", {"language": "pt-br", "next": "/"})
    assert answer.headers["Location"] == "/"
    assert "Histórico" in browser.get("/").text
    assert "Protegido" in browser.get("/texts.js").text


@pytest.mark.django_db
def test_what_programs_read_is_english_whatever_they_ask_for(service):
    browser = browser_of("viewer")
    for path in ("/api/backup/jobs?limit=none", "/api/backup/status", "/api/backup/nothing"):
        asked = browser.get(path, headers=PORTUGUESE)
        assert asked.text == browser.get(path).text
        assert "Content-Language" not in asked.headers
