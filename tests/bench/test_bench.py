"""The benchmarks run as a whole, on little data; what took how long is not looked at."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from bench import docs
from bench.__main__ import main
from bench.measure import Cost
from bench.results import Results, Row

# One whole run for all tests here, and it takes what it takes.
pytestmark = [pytest.mark.xdist_group("bench"), pytest.mark.timeout(1200)]
SCENARIOS = ("first backup", "restore", "one file", "many small files")
STOPPED = ("instances stopped", "instances stopped, a day later")
NEXT = ("nothing changed", "nothing changed, many small files")
LINES = {"seaweed": ("0", "a day of changes"), "lean": ("200", "a day of changes, 200 Mbit/s")}
TOOLS = ("Tarkeep, level 6", "restic", "tar, pigz -6, openssl, aws")


@pytest.fixture(scope="module", params=LINES)
def run(request, tmp_path_factory):
    """One whole run for each server, and for each line one of them; it compares every restored
    tree and file with its source itself."""
    mbit, day = LINES[request.param]
    folder = tmp_path_factory.mktemp("bench")
    size = ["--size", "16MiB", "--files", "200", "--repeat", "1", "--server", request.param]
    with pytest.MonkeyPatch.context() as patch:
        lines = []
        patch.setattr("builtins.print", lambda *given, **_: lines.extend(map(str, given)))
        links = ["--days", "1", "--links", mbit]
        main([*size, *links, "--work", str(folder), "--results", str(folder / "results")])
    found = json.loads((folder / "results" / "latest.json").read_text())
    measured = [row for row in found["rows"] if not row["skipped"]]
    return SimpleNamespace(shown="\n".join(lines), rows=measured, next=(*NEXT, day))


@pytest.mark.parametrize("tool", TOOLS[:2])
def test_what_comes_after_a_first_backup_is_measured_beside_restic(run, tool):
    for scenario in run.next:
        assert re.search(rf"^\| {scenario} +\| {re.escape(tool)} +\|", run.shown, re.MULTILINE)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("tool", TOOLS)
def test_the_table_has_a_line_for_each_task_and_tool(run, scenario, tool):
    assert re.search(rf"^\| {scenario} +\| {re.escape(tool)} +\|", run.shown, re.MULTILINE)


def test_our_own_rows_are_never_left_out(run):
    ours = {(row["scenario"], row["tool"]) for row in run.rows if "Tarkeep" in row["tool"]}
    assert ours == {(scenario, TOOLS[0]) for scenario in (*SCENARIOS, *run.next, *STOPPED)} | {
        ("first backup", "Tarkeep, level 1")
    }


@pytest.mark.parametrize("scenario", STOPPED)
def test_the_downtime_of_a_backup_with_instances_stopped_is_measured(run, scenario):
    (row,) = (row for row in run.rows if row["scenario"] == scenario)
    assert all(0 < each["downtime"] < each["wall"] for each in row["runs"])
    assert f"{scenario}, Tarkeep, level 6: downtime" in run.shown


def test_every_run_was_measured(run):
    for row in run.rows:
        assert len(row["runs"]) == 1
        assert row["requests"] > 0
        assert row["peak"] > 0


def test_a_first_backup_sends_what_is_stored_and_little_more(run):
    for row in run.rows:
        if row["scenario"] in ("first backup", "many small files"):
            assert row["stored"] <= row["sent"] <= row["stored"] * 1.02 + 64 * 1024


def test_a_restore_receives_at_least_what_a_backup_stored_without_its_index(run):
    stored = {row["tool"]: row["stored"] for row in run.rows if row["scenario"] == "first backup"}
    for row in run.rows:
        if row["scenario"] == "restore":
            assert row["received"] > stored[row["tool"]] * 0.98


def test_targets_are_judged(run):
    assert re.search(r"^(met|MISSED) +restore, .* \(target: 0.5\)$", run.shown, re.MULTILINE)


def test_one_file_takes_three_requests_beside_the_index(run):
    assert re.search(r"^met +one file: requests beside the index", run.shown, re.MULTILINE)
    assert re.search(r"^met +one file: moved, index included", run.shown, re.MULTILINE)


def test_ratios_are_medians_over_pairs_of_the_same_turn():
    ours, peer = Row("a", "x"), Row("a", "y")
    ours.costs = [Cost(wall, 1) for wall in (1, 20, 3)]
    peer.costs = [Cost(wall, 1) for wall in (2, 40, 30)]
    assert ours.ratio(peer) == 0.5


def test_the_page_gets_a_table_and_a_plot(tmp_path):
    row = Row("restore", "restic <>", [Cost(2.0, 1.0)])
    (tmp_path / "benchmarks.md").write_text(
        "before\n<!-- results: lean -->\nold\n<!-- end of results -->\n"
        "<!-- results: seaweed -->\nkept\n<!-- end of results -->\nafter\n"
    )
    docs.write(Results({"memory": "1 GiB"}, [row]), tmp_path, "lean")
    page = (tmp_path / "benchmarks.md").read_text()
    assert "| restore | restic <> | 2.00" in page
    assert "- memory: 1 GiB" in page
    assert page.count("](img/benchmarks-lean.svg)") == 1
    assert "old" not in page
    assert page.endswith("<!-- results: seaweed -->\nkept\n<!-- end of results -->\nafter\n")
    assert ElementTree.parse(tmp_path / "img" / "benchmarks-lean.svg").getroot().tag.endswith("svg")
