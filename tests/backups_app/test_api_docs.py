"""docs/api.md and the code say the same."""

import re
from pathlib import Path

from backups_app.api import serialisers, status_serialisers, urls
from backups_app.models import Kind, Trigger
from backups_app.states import State

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def test_each_endpoint_has_its_heading_and_an_example():
    headings = set(re.findall(r"^## (?:GET|POST|PATCH|DELETE) (\S+)$", TEXT, re.MULTILINE))
    routes = {
        route.pattern.regex.pattern.strip("^$/?")
        .replace(urls.JOB, "jobs/ID")
        .replace(urls.HELD, "tokens/ID")
        .replace(urls.PLAN, "plans/NAME")
        for route in urls.urlpatterns
    }
    assert headings == routes
    for route in routes:
        first = re.split("ID|NAME", route)[0]
        assert f"$TARKEEP/api/backup/{first}" in TEXT


def test_each_field_is_explained():
    for serialiser in (serialisers.JobSerialiser, status_serialisers.StatusSerialiser):
        for field in serialiser().fields:
            assert f"`{field}`" in TEXT, field
    for field in serialisers.ProgressSerialiser().fields:
        assert f"`{field}`" in TEXT, field


def test_each_state_kind_and_trigger_is_explained():
    for word in (*State.values, *Kind.values, *Trigger.values):
        assert f"`{word}`" in TEXT, word
