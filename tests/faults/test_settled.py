"""A restore that died says afterwards what the data folder is now; one in between is an alert."""

from __future__ import annotations

import pytest
from django.utils import timezone

from backups_app.alerts import Alert, alerts
from tests.engine.test_undo import LATER, SAVED
from tests.faults.test_kill_points import THIRD, Scene, prepare, scene
from tests.support.places import MODES, content, place
from tests.support.service import claimed_job, expire
from worker.engine.backup import run_backup
from worker.engine.errors import SourceError
from worker.engine.progress import Progress
from worker.engine.swap.site import EXCHANGE, look
from worker.reaper import reap

__all__ = ["scene"]

pytestmark = pytest.mark.django_db(transaction=True)
KEPT = {"old": None, "new": "safetyCopy", "back": "rejected"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("kind", "point", "folder", "found"),
    [
        ("restore", "restore.fetched", "old", LATER),
        ("restore", "swap.journalled", "old", LATER),
        ("restore", "swap.done", "new", SAVED),
        ("restore", "swap.over", "new", SAVED),
        ("undo", "swap.done", "new", LATER),
        ("unhealthy", "swap.over", "new", SAVED),
        ("unhealthy", "swap.over:2", "back", LATER),
    ],
)
def test_a_dead_restore_says_what_the_folder_is(
    kind: str, point: str, folder: str, found: dict[str, str], mode: str, scene: Scene
) -> None:
    with place(scene.live, mode):
        prepare(scene, kind, mode)
        scene.die(kind, mode, point)
        job = scene.bury(kind)
        assert (job.result["folder"], content(scene.live)) == (folder, found)
        assert (job.error_code, bool(job.error_hint)) == ("LEASE_LOST", True)
        kept = job.result.get(KEPT[folder])
        assert (kept is None) == (folder == "old")
        assert kept is None or kept in job.error_message
        assert "backup is tried again" not in job.error_hint


def unsettled(scene: Scene) -> list[Alert]:
    found = alerts(scene.settings, timezone.now())
    return [one for one in found if one.code == "SWAP_UNSETTLED"]


def test_a_swap_that_cannot_be_settled_is_an_alert_until_it_is(scene: Scene) -> None:
    scene.live.mkdir(parents=True)
    prepare(scene, "restore", EXCHANGE)
    journal = look(scene.live).journal
    journal.write_text("nobody understands this")
    job = claimed_job(kind="restore")
    expire(job)
    reap(scene.settings)
    (alert,) = unsettled(scene)
    assert str(journal) in alert.message
    assert alert.hint
    plan, storage = scene.quiet()
    with pytest.raises(SourceError) as refused:
        run_backup(plan, storage, Progress(), now=THIRD)
    assert refused.value.code == "SOURCE_BETWEEN"
    journal.unlink()
    reap(scene.settings)
    assert unsettled(scene) == []
    job.refresh_from_db()
    assert (job.result["folder"], job.cleaned_up) == ("old", True)
