"""manage.py plans"""

import json
import shlex
from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from backups_app import plans
from backups_app.models import Part, PartSeen, Plan
from worker.engine.settings import read_settings

pytestmark = pytest.mark.django_db


def told(*words):
    out = StringIO()
    call_command("plans", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def media(service):
    plan = Plan(
        name="media",
        data_dir="/srv/media files",
        schedule="@hourly",
        prefix="/",
        max_backups=48,
        keep_weekly=5,
        exclude="*.log\ntmp/",
        stop_instances=True,
        instance_driver="docker",
    )
    plan.full_clean()
    plan.save()
    return plan


def test_each_plan_has_a_line_that_says_whether_anybody_is_there(service, media):
    Plan.objects.filter(name="media").update(host="web2")
    PartSeen.objects.mark("backup@here", Part.WORKER)
    head, default, far = told().splitlines()
    assert head.split("  ")[0] == "PLAN"
    assert default.split()[:4] == ["default", "main", "runs", "off"]
    assert str(service.plan.data_dir) in default
    assert "web2     not seen  0 * * * * America/Sao_Paulo  /srv/media files" in far
    assert far.endswith("  whatsapp-data-backup")


def test_as_json_it_is_what_the_api_answers(media, api):
    assert json.loads(told("--json")) == api.get("/api/backup/plans").json()


def test_a_plan_as_variables_is_the_same_plan(service, media, tmp_path):
    lines = [shlex.split(line) for line in told("--env", "media").splitlines()]
    assert {line[0] for line in lines} == {"export"}
    given = dict(line[1].split("=", 1) for line in lines)
    read = read_settings(given, base_dir=tmp_path).plan
    meant = plans.settings_of("media").plan
    assert read.instances.drivers == meant.instances.drivers
    same = replace(meant, plan=read.plan, instances=read.instances)
    assert read == replace(same, restore_dir=read.restore_dir, drill=read.drill)


def test_the_environments_plan_needs_no_variables(service):
    assert told("--env", "default").strip() == ""


@pytest.mark.parametrize(
    ("host", "complaint"), [("web2", "lies on the machine web2"), ("", "no plan")]
)
def test_variables_are_for_the_machine_with_the_data(service, media, host, complaint):
    Plan.objects.update(host=host or "main")
    with pytest.raises(CommandError, match=complaint):
        told("--env", "media" if host else "nothing")
