"""GET /metrics"""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from django.test import Client
from django.utils import timezone

from backups_app.metrics import METRICS, PREFIX
from backups_app.models import BucketSummary, Job, Kind, Part, PartSeen
from backups_app.states import State
from tests.support.service import KEY, claimed_job, finished_job

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]
TOKEN = "m" * 40
NAMES = {PREFIX + metric.name for metric in METRICS}
LINE = re.compile(r'(\w+)(?:\{(\w+="(?:[^"\\\n]|\\.)*",?)*\})? -?[0-9.e+-]+')


@pytest.fixture
def full(service, settings):
    """A service of which every metric has a value."""
    settings.TARKEEP = replace(service, enabled=True, metrics_token=TOKEN)
    result = {"size": 1, "dataSize": 2, "bytesSent": 3, "bytesCopied": 4, "files": 5}
    done = finished_job(backup_key=KEY, result={**result, "downtime": 1.5})
    Job.objects.filter(pk=done.pk).update(started_at=timezone.now() - timedelta(seconds=90))
    finished_job(kind=Kind.VERIFY, backup_key=KEY, result={"files": 1, "bytes": 2})
    finished_job(State.FAILED, kind=Kind.RESTORE, error_code="ANY")
    claimed_job()
    BucketSummary.objects.create(
        plan="default", backups=2, total_bytes=30, latest_bytes=10, retention_halted="it shrank"
    )
    PartSeen.objects.mark('odd"name\\@here', Part.WORKER)
    return settings.TARKEEP


def scrape(token=TOKEN):
    return Client(headers={"Authorization": f"Bearer {token}"}).get("/metrics")


def values():
    lines = [line for line in scrape().content.decode().splitlines() if line[0] != "#"]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_every_metric_is_there_once_described_and_well_formed(full):
    text = scrape().content.decode()
    assert re.findall(r"^# TYPE (\w+)", text, re.MULTILINE) == [
        PREFIX + metric.name for metric in METRICS
    ]
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    for line in samples:
        assert LINE.fullmatch(line), line
    assert text.endswith("\n")
    assert len({line.rpartition(" ")[0] for line in samples}) == len(samples)


def test_values_are_those_of_the_history(full):
    found = values()
    assert found['tarkeep_last_run_success{plan="default",kind="backup"}'] == 1
    assert found['tarkeep_last_run_success{plan="default",kind="restore"}'] == 0
    assert found['tarkeep_last_backup_sent_bytes{plan="default"}'] == 3
    assert found['tarkeep_job_running{plan="default",kind="backup"}'] == 1
    assert 0 < found['tarkeep_lease_seconds{plan="default"}'] <= 90
    assert found['tarkeep_bucket_bytes{plan="default"}'] == 30
    assert found['tarkeep_parts_alive{part="worker",host="main"}'] == 1
    assert found['tarkeep_alerts{plan="default",code="RETENTION_HALTED"}'] == 1
    assert found['tarkeep_next_run_timestamp_seconds{plan="default"}'] > timezone.now().timestamp()


def test_metrics_want_a_token_and_their_token_opens_nothing_else(full, api):
    assert Client().get("/metrics").status_code == 401
    assert scrape("x" * 40).status_code == 401
    assert api.get("/metrics").status_code == 200
    other = Client(headers={"Authorization": f"Bearer {TOKEN}"})
    assert other.get("/api/backup/status").status_code == 401


def test_with_no_token_set_an_empty_one_opens_nothing(service):
    assert scrape("").status_code == 401


def used(text):
    return set(re.findall(r"\btarkeep_[a-z_]+", text))


def test_alert_rules_and_dashboard_use_metrics_that_there_are():
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    (group,) = rules["groups"]
    assert len(group["rules"]) >= 6
    for rule in group["rules"]:
        assert used(rule["expr"])
        assert used(rule["expr"]) <= NAMES
        assert rule["annotations"]["summary"]
    board = (ROOT / "deploy/grafana/tarkeep.json").read_text()
    assert used(board)
    assert used(board) <= NAMES


def of_prometheus(text):
    """Labels that a query or a text names."""
    found = re.findall(r"\$labels\.(\w+)|\{\{(\w+)\}\}|[{,] ?(\w+)=~?\\?\"", text)
    return {name for names in found for name in names if name}


def test_alert_rules_and_dashboard_use_labels_that_there_are(full):
    """Of each query the metric's own, and `plan` wherever there are several plans."""
    own = {}
    for line in scrape().content.decode().splitlines():
        name, _, labels = line.partition("{")
        own.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]
    board = json.loads((ROOT / "deploy/grafana/tarkeep.json").read_text())
    pairs = [(rule["expr"], rule["expr"] + str(rule["annotations"])) for rule in rules["rules"]]
    targets = [one for panel in board["panels"] for one in panel["targets"]]
    pairs += [(one["expr"], one["expr"] + one["legendFormat"]) for one in targets]
    assert len(pairs) > 15
    for query, text in pairs:
        metric = min(used(query), key=query.index)
        named = of_prometheus(text)
        assert named <= own.get(metric, set()), query
        assert ("plan" in named) == ("plan" in own.get(metric, set())), query


def test_the_page_names_every_metric_and_invents_none():
    page = (ROOT / "docs/watching.md").read_text()
    told = set(re.findall(r"^\| `(tarkeep_\w+)`", page, re.MULTILINE))
    assert told == NAMES
