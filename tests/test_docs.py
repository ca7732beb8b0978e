"""The documentation names what the code has: nothing missing, nothing invented."""

from __future__ import annotations

import re
from pathlib import Path

from backup_project.web_settings import WEB_VARIABLES
from worker.engine.settings import EMBEDDED_S3, VARIABLES

ROOT = Path(__file__).resolve().parent.parent
NAMES = {variable.name for variable in (*VARIABLES, *WEB_VARIABLES)}


def headings() -> dict[str, str]:
    """Each variable's heading in the documentation, with the text below it."""
    text = (ROOT / "docs" / "configuration.md").read_text()
    return dict(re.findall(r"^### (\w+)\n(.*?)(?=\n#|\Z)", text, re.MULTILINE | re.DOTALL))


def test_every_setting_has_its_heading_and_no_heading_is_invented():
    assert set(headings()) == NAMES


def test_the_defaults_in_the_documentation_are_those_of_the_code():
    told = {name: re.search(r"Default `([^`]+)`", text) for name, text in headings().items()}
    documented = {name: found.group(1) for name, found in told.items() if found}
    # What is set for the user, and not by them, needs no default told.
    of_code = {v.name: v.default for v in (*VARIABLES, *WEB_VARIABLES) if v is not EMBEDDED_S3}
    assert documented == {name: default for name, default in of_code.items() if default}


def test_secrets_and_only_they_are_said_to_be_secret():
    told = {name for name, text in headings().items() if re.match(r"Secret\b", text)}
    assert told == {variable.name for variable in VARIABLES if variable.secret}


def test_the_example_file_has_every_setting_as_a_comment():
    text = (ROOT / ".env.example").read_text()
    shown = set(re.findall(r"^#([A-Z_0-9]+)=", text, re.MULTILINE))
    assert shown == NAMES - {EMBEDDED_S3.name}
    assert not re.search(r"^[^#\n]", text, re.MULTILINE)


def test_every_link_of_the_readme_and_the_docs_leads_to_a_file():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
