"""The documentation names what the code has: nothing missing, nothing invented."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from rest_framework import exceptions

from backup_project.web_settings import WEB_VARIABLES
from backups_app.news import _ALERT_EVENTS
from tests.support.command_page import PAGE, rendered
from tests.support.pages import section
from worker.engine.notify.variables import EVENTS
from worker.engine.settings import EMBEDDED_S3, VARIABLES, read_settings

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


def anchors(text: str) -> set[str]:
    """As the headings' addresses are made: small letters, dashes for blanks, few other signs."""
    bare = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", bare, re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title) for title in titles]
    return {re.sub(r"[^\w\- ]", "", one.strip().lower()).replace(" ", "-") for one in plain}


def test_every_link_to_a_section_leads_to_one():
    linked = 0
    pages = [ROOT / name for name in ("README.md", "CHANGELOG.md", "SECURITY.md")]
    for page in (*pages, *(ROOT / "docs").glob("*.md")):
        for target, part in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text()):
            linked += 1
            there = page.parent / target if target else page
            assert part in anchors(there.read_text()), f"{page.name} links to {target}#{part}"
    assert linked > 50


def test_the_readme_leads_to_every_page():
    more = section((ROOT / "README.md").read_text(), "More")
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)\)", more))
    assert linked == {page.name for page in (ROOT / "docs").glob("*.md")}


CODE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
# What looks like a code and is none: other programs' variables, states, values.
NO_CODES = {
    "DBUS_SESSION_BUS_ADDRESS", "DEEP_ARCHIVE", "DJANGO_SETTINGS_MODULE", "GIVEN_UP", "LC_ALL",
    "LD_LIBRARY_PATH", "REMOTE_ADDR", "REQUESTS_CA_BUNDLE", "SQLITE_OK", "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TARKEEP_BACKUP_KEY", "TARKEEP_CRASH_AT", "TARKEEP_DRILL_DIR", "TARKEEP_HOOK",
    "TARKEEP_JOB_ID", "TARKEEP_PHASE", "TARKEEP_RESULT", "XDG_RUNTIME_DIR",
}  # fmt: skip


def constants() -> set[str]:
    """Every text that stands by itself in the code."""
    found = set()
    for part in ("worker", "backups_app"):
        for path in (ROOT / part).rglob("*.py"):
            if "migrations" not in path.parts:
                nodes = ast.walk(ast.parse(path.read_text()))
                found |= {n.value for n in nodes if isinstance(n, ast.Constant)}
    return {value for value in found if isinstance(value, str)}


def test_every_code_has_its_line_and_none_is_invented():
    known = constants()
    codes = {one for one in known if CODE.fullmatch(one)} - NAMES - NO_CODES
    told = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", (ROOT / "docs" / "errors.md").read_text()))
    assert codes - told == set()
    of_framework = {name for one in vars(exceptions).values() for name in [_default(one)] if name}
    spelt = {one.upper() for one in known | of_framework}
    assert told - spelt - NAMES == set()


def _default(error) -> str:
    return str(getattr(error, "default_code", ""))


def test_every_event_and_every_alert_with_an_event_of_its_own_is_explained():
    page = (ROOT / "docs" / "watching.md").read_text()
    events = re.findall(r"^\| `([a-z]+)` \|", section(page, "Events"), re.MULTILINE)
    assert tuple(events) == EVENTS
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \|.*\| `([a-z]+)` \|$", page, re.MULTILINE)
    told = {code: event for codes, event in rows for code in re.findall(r"[A-Z_]+", codes)}
    assert {code: told.get(code) for code in _ALERT_EVENTS} == _ALERT_EVENTS
    assert set(told.values()) <= set(EVENTS)


def test_everything_that_the_doctor_looks_at_is_explained():
    files = [*(ROOT / "worker/engine/doctor").glob("*.py"), ROOT / "backups_app/doctor.py"]
    calls = [
        n for f in files for n in ast.walk(ast.parse(f.read_text())) if isinstance(n, ast.Call)
    ]
    made = [n for n in calls if getattr(n.func, "id", "") == "Finding" and len(n.args) > 1]
    names = {n.args[1].value for n in made if isinstance(n.args[1], ast.Constant)}
    page = (ROOT / "docs" / "doctor.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \|[^|]+\|$", page, re.MULTILINE)
    told = {name.strip() for row in rows for name in row.split(",")}
    assert len(names) > 15
    assert names - told == set()


def test_the_page_of_commands_is_what_the_programs_say():
    assert PAGE.read_text() == rendered(), "run: make docs"


def test_every_code_that_the_page_on_files_explains_is_in_the_engine():
    known = constants()
    codes = re.findall(r"^### ([A-Z_]+)$", (ROOT / "docs" / "files.md").read_text(), re.MULTILINE)
    assert len(codes) > 5
    assert set(codes) <= known


def test_every_code_and_message_of_the_troubleshooting_page_is_in_the_code():
    source = "".join(
        path.read_text()
        for part in ("worker", "backups_app")
        for path in (ROOT / part).rglob("*.py")
    )
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    codes = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", page)) - NAMES
    assert len(codes) > 15
    for code in codes:
        assert f'"{code}"' in source, code
    messages = re.findall(r"^- \*\*`([^`]+)`\*\*", page, re.MULTILINE)
    assert len(messages) > 5
    for message in messages:
        assert message in source, message


def test_the_message_for_a_short_key_is_the_documented_one(tmp_path):
    given = {"BACKUP_S3_BUCKET": "bucket", "BACKUP_S3_ACCESS_KEY": "a"}
    given |= {"BACKUP_S3_SECRET_KEY": "s" * 40, "BACKUP_ENCRYPTION_KEY": "short"}
    (problem,) = read_settings(given, base_dir=tmp_path).problems
    assert problem.message in (ROOT / "docs" / "troubleshooting.md").read_text()
