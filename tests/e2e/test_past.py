"""History: the log of a job, choices, the calendar and the curves, and very much of it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.e2e.steps import done, made_backup, part, rows, unfold
from tests.launcher.launched import Launched, clean_environment

pytestmark = pytest.mark.xdist_group("dashboard")
JOBS = 10_000
SEED = f"""
from datetime import timedelta
from django.utils import timezone
from backups_app.models import Job
from backups_app.states import State
now = timezone.now()
Job._meta.get_field("created_at").auto_now_add = False  # they were made long ago
def made(**fields):
    return Job(kind="backup", trigger="schedule", **fields)
def good(n):
    at = now - timedelta(days=2, minutes=10 * n)
    ended = at + timedelta(seconds=9)
    return made(state=State.SUCCEEDED, created_at=at, started_at=at, finished_at=ended,
                result={{"size": n}})
missed = now - timedelta(days=85)
told = {{"missed": 3, "first": missed.isoformat(), "last": missed.isoformat()}}
lapse = made(state=State.FAILED, error_code="SLOT_MISSED", error_message="3 backups were missed",
             created_at=missed, finished_at=missed, result=told)
Job.objects.bulk_create([lapse, *map(good, range({JOBS}))], batch_size=500)
"""


def test_the_log_of_a_job_is_shown_with_it(page, tarkeep, signed_in):
    made_backup(tarkeep)
    signed_in()
    first = unfold(page, "History")
    first.get_by_role("button", name="Show the log").click()
    log = first.get_by_role("list", name="Log")
    expect(log).to_contain_text("backup begins, attempt 1")
    expect(log).to_contain_text("SUCCEEDED")


def test_the_history_is_chosen_from(page, tarkeep, signed_in):
    key = made_backup(tarkeep)
    done(tarkeep, "verify", {"backupKey": key})
    signed_in()
    history = part(page, "History")
    expect(rows(page, "History").first).to_contain_text("Verification")
    history.get_by_label("What").select_option(label="Backup")
    expect(rows(page, "History").first).to_contain_text("Backup")
    history.get_by_label("How it ended").select_option(label="Lost")
    history.get_by_label("What").select_option(label="Undo")
    expect(history).to_contain_text("No job matches this choice")


def test_ten_thousand_jobs_stay_smooth_and_missed_runs_are_visible(page, tarkeep, signed_in):
    made_backup(tarkeep)
    seed(tarkeep)
    signed_in()
    history = part(page, "History")
    expect(history.get_by_role("navigation")).to_contain_text("of 10,")
    history.get_by_role("button", name="Older").click()
    expect(history.get_by_role("navigation")).to_contain_text("11–20 of")
    expect(history.get_by_role("button", name="Older")).to_be_focused()
    assert page.locator("#history .row").count() == 10
    expect(history).to_contain_text("missed on ")
    expect(history.locator(".day.missed")).not_to_have_count(0)
    history.get_by_role("button", name="Curves").click()
    expect(history.locator(".uplot")).to_have_count(3)
    expect(history.locator("figcaption").first).to_contain_text("Duration: from ")
    longest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('ul, ol, tbody, dl')]"
        ".map(list => list.children.length))"
    )
    assert longest <= 200


def seed(tarkeep: Launched) -> None:
    """As many jobs as years of use leave, put into the service's own database."""
    code = [sys.executable, "manage.py", "shell", "-v", "0", "-c", SEED]
    subprocess.run(code, cwd=tarkeep.home, env=clean_environment(), check=True, timeout=120)
