"""The verdict in words, in both languages: the server judges, the page says it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.steps import heading, made_backup, sign_in

pytestmark = pytest.mark.xdist_group("dashboard 2")

NOW = "2025-08-29T15:00:00Z"  # noon in São Paulo
STATUS: dict[str, Any] = {
    "enabled": True,
    "nextRun": "2025-08-30T05:00:00Z",
    "lastProven": {"at": "2025-08-28T12:00:00Z"},
    "lastVerified": None,
    "verdict": {"level": "good", "newest": "2025-08-29T12:00:00Z", "reasons": []},
}
GOOD = "Protected: last backup 3 hours ago, next tonight at 02:00, last restore proven 1 day ago"

BEM = (
    "Protegido: último backup há 3 horas, próximo esta noite às 02:00,"
    " última restauração comprovada há 1 dia"
)


def because(level: str, code: str, **fields: Any) -> dict[str, Any]:
    reason = {
        "level": level, "code": code, "message": "A server's sentence", "hint": "Its hint.",
        "action": "", "subject": "", "at": None, "backupKey": "", **fields,
    }  # fmt: skip
    return {"verdict": {"level": level, "newest": None, "reasons": [reason]}}


@pytest.mark.parametrize(
    ("facts", "title"),
    [
        ({}, GOOD),
        (
            {"nextRun": "2025-08-31T05:00:00Z", "lastProven": None},
            "Protected: last backup 3 hours ago, next Sunday at 02:00, no restore tried yet",
        ),
        (because("attention", "SCHEDULE_OFF"), "Attention: the schedule is off"),
        (because("bad", "INSTANCE_DOWN", subject="app"), "Not protected: app is still stopped"),
        (because("unknown", "BUCKET_UNREADABLE"), "Not known: the bucket cannot be read"),
        (because("bad", "NO_BACKUP"), "Not protected: there is no backup yet"),
        (
            because("attention", "BACKUP_OLD", at="2025-08-27T15:00:00Z"),
            "Attention: the last backup was made 2 days ago",
        ),
        (
            because("attention", "FILES_LEFT_OUT", subject="2"),
            "Attention: the newest backup lacks 2 files",
        ),
        (because("bad", "HEAD_MISSING"), "Not protected: a server's sentence"),
    ],
)
def test_the_verdict_is_said_in_one_sentence(page, tarkeep, facts, title):
    page.goto("/login/")
    said = worded(page, facts)
    assert said["title"] == title
    assert all(reason["hint"] for reason in said["reasons"])


def worded(page: Page, facts: dict[str, Any]) -> dict[str, Any]:
    """What the page makes of the server's verdict."""
    said: dict[str, Any] = page.evaluate(
        """async ([status, now]) => {
            const { wording } = await import('/static/backups_app/js/parts/words.js');
            return wording(status, Date.parse(now));
        }""",
        [STATUS | facts, NOW],
    )
    return said


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"every": "day", "times": ["02:00"]}, "every day at 02:00"),
        ({"every": "week", "times": ["02:00"], "days": [1, 5]}, "Monday and Friday at 02:00"),
        ({"every": "month", "times": ["02:00"], "days": [1]}, "on day 1 of each month at 02:00"),
        ({"every": "minutes", "step": 15}, "every 15 minutes"),
        ({"every": "hour", "minute": 5}, "every hour, at minute 5"),
    ],
)
def test_a_schedule_is_said_in_words(page, tarkeep, shape, words):
    page.goto("/login/")
    said = page.evaluate(
        """async (shape) => {
            document.documentElement.dataset.may = "";
            const { inWords } = await import('/static/backups_app/js/parts/schedule.js');
            return inWords(shape, "");
        }""",
        {"step": 0, "minute": 0, "times": [], "days": [], **shape},
    )
    assert said == words


def test_the_page_is_portuguese_for_who_reads_it(browser: Browser, tarkeep):
    made_backup(tarkeep)
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{tarkeep.port}", locale="pt-BR", timezone_id="America/Sao_Paulo"
    )
    page = sign_in(context.new_page(), tarkeep)
    expect(heading(page)).to_have_text(re.compile("^Atenção: "))
    assert worded(page, {})["title"] == BEM
    here = because("attention", "STORAGE_LOCAL")
    assert worded(page, here)["title"] == "Atenção: os backups estão nesta mesma máquina"
    expect(page.get_by_role("button", name="Fazer backup agora")).to_be_visible()
    expect(page.get_by_role("region", name="Histórico")).to_contain_text("Como terminou")
    assert in_portuguese(page, "STORAGE_UNREACHABLE") == [
        "Não é possível alcançar o armazenamento",
        "Failed to connect to S3 — Look at BACKUP_S3_ENDPOINT.",
    ]
    assert in_portuguese(page, "A_NEW_CODE") == ["Failed to connect to S3", ""]
    page.get_by_role("button", name="English").click()
    expect(heading(page)).to_have_text(re.compile("^Attention: "))
    context.close()


def in_portuguese(page: Page, code: str) -> list[str]:
    """What the page makes of an error: its own sentence by the code, the server's words below."""
    told = {"code": code, "message": "Failed to connect to S3"}
    said: list[str] = page.evaluate(
        """async (error) => {
            const { explain } = await import('/static/backups_app/js/texts/common.js');
            const { text, original } = explain(error);
            return [text, original];
        }""",
        told | {"hint": "Look at BACKUP_S3_ENDPOINT."},
    )
    return said
