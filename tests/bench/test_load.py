"""`python -m bench.load` as a whole, on little data; what took how long is not looked at."""

from __future__ import annotations

import json

import pytest

from bench.load.__main__ import main

pytestmark = [pytest.mark.xdist_group("bench"), pytest.mark.timeout(900)]


def test_backups_alone_and_watched_and_the_api_without_redis(tmp_path):
    some = ["--size", "16MiB", "--clients", "20", "--slow", "2", "--rate", "20", "--repeat", "1"]
    main([*some, "--work", str(tmp_path), "--results", str(tmp_path / "results")])
    found = json.loads((tmp_path / "results" / "load.json").read_text())
    (watched,) = found["watched"]
    assert (watched["opened"], watched["closed"], watched["wrong"]) == (20, 0, 0)
    assert watched["requests"] > 0
    assert watched["frames"] > 0
    assert set(found["change"]) == {"crowd here", "crowd elsewhere", "by cpu"}
    assert len(found["beside"]) == len(found["alone"]) == 1
    for kind in ("redis refused", "redis silent"):
        assert 0 < found[kind]["all"]["p95"] <= found[kind]["all"]["max"]
