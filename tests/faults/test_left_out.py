"""Row 67 for what backups leave out: a kill while it is carried over loses none of it."""

from __future__ import annotations

import pytest

from tests.engine.test_undo import LATER, SAVED, write
from tests.faults import test_kill_points as kills
from tests.support.places import MODES, content, leftovers, place
from worker.engine.swap.copies import safety_copies

POINTS = [*kills.CARRY, "restore.committed", "swap.journalled"]
LEFT_OUT = {"cache/big": "c" * 100, "cache/deep/er": "c", "new-sub/x.skip": "skip", "y.skip": "y"}
scene = kills.scene


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("kind", "pass_", "point"),
    [
        *[("restore", 1, point) for point in POINTS],
        *[(kind, n, point) for kind, n in (("undo", 1), ("unhealthy", 2)) for point in POINTS[1:3]],
    ],
)
def test_row_67_a_kill_while_it_is_carried_over_loses_nothing(
    kind: str, pass_: int, point: str, mode: str, scene: kills.Scene
) -> None:
    with place(scene.live, mode):
        scene.env["BACKUP_EXCLUDE"] = "cache/,*.skip"
        kills.prepare(scene, kind, mode)
        write(scene.live, LEFT_OUT)
        name, _, count = point.partition(":")
        of_pass = int(count or 1) + (pass_ - 1) * (3 if name == "carry.moved" else 1)
        scene.die(kind, mode, f"{name}:{of_pass}")
        scene.bury(kind)
        expected = [{**SAVED, **LEFT_OUT}, {**LATER, **LEFT_OUT}]
        assert content(scene.live) in expected
        assert all(content(copy.path) in (SAVED, LATER) for copy in safety_copies(scene.live))
        assert (leftovers(scene.live), scene.running) == ([], ["one", "two"])
