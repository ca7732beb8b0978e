"""What a run has done, as the job's row shows it."""

from concurrent.futures import ThreadPoolExecutor

from worker.counters import KEPT_WARNINGS, Counters
from worker.engine.progress import SourceWarning


def add(counters, **more):
    counters.advance(**{"files": 0, "bytes": 0, "sent": 0, **more})


def test_a_phase_ends_when_the_next_begins():
    counters = Counters()
    counters.phase("scanning")
    counters.phase("archiving")
    first, second = counters.fields()["phases"]
    assert (first["name"], second["name"]) == ("scanning", "archiving")
    assert first["seconds"] >= 0
    assert second["seconds"] is None
    assert first["startedAt"].endswith("Z")
    assert counters.fields()["phase"] == "archiving"


def test_at_the_end_the_last_phase_is_closed_and_nothing_moves():
    counters = Counters()
    counters.phase("pruning")
    fields = counters.fields(ended=True)
    assert fields["phases"][0]["seconds"] >= 0
    assert fields["bytes_per_second"] == 0


def test_the_first_totals_of_a_phase_begin_a_new_measure():
    counters = Counters()
    counters.phase("scanning")
    add(counters, files=7)
    counters.phase("archiving")
    counters.totals(files=10, bytes=100)
    add(counters, files=1, bytes=30, sent=20)
    counters.totals(files=11, bytes=110)
    fields = counters.fields()
    assert (fields["files_done"], fields["files_total"]) == (1, 11)
    assert (fields["bytes_done"], fields["bytes_total"]) == (30, 110)


def test_what_was_done_and_sent_stays_when_the_next_phase_measures_nothing():
    counters = Counters()
    counters.phase("archiving")
    counters.totals(files=1, bytes=100)
    add(counters, files=1, bytes=100, sent=40)
    counters.phase("publishing")
    add(counters, sent=5)
    fields = counters.fields()
    assert (fields["bytes_done"], fields["bytes_total"], fields["bytes_sent"]) == (100, 100, 45)


def test_only_the_first_warnings_are_kept_and_all_are_counted():
    counters = Counters()
    for number in range(KEPT_WARNINGS + 50):
        counters.warn(SourceWarning("FILE_VANISHED", f"file{number}", "gone"))
    fields = counters.fields()
    assert fields["warning_count"] == KEPT_WARNINGS + 50
    assert len(fields["warnings"]) == KEPT_WARNINGS
    assert fields["warnings"][0] == {"code": "FILE_VANISHED", "path": "file0", "message": "gone"}


def test_what_a_person_should_hear_of_comes_before_a_hundred_other_warnings():
    counters = Counters()
    for number in range(KEPT_WARNINGS + 50):
        counters.warn(SourceWarning("SPECIAL_FILE", f"pipe{number}", "left out"))
    for code in ("INSTANCES_NOT_STARTED", "FILE_VANISHED"):
        counters.warn(SourceWarning(code, "", "it matters"))
    fields = counters.fields()
    assert (fields["warning_count"], fields["trouble_count"]) == (KEPT_WARNINGS + 52, 1)
    codes = [one["code"] for one in fields["warnings"]]
    assert codes == ["INSTANCES_NOT_STARTED", "FILE_VANISHED", *["SPECIAL_FILE"] * 98]


def test_nothing_is_lost_between_threads():
    counters = Counters()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: add(counters, files=1, bytes=3, sent=2), range(4000)))
    fields = counters.fields()
    assert (fields["files_done"], fields["bytes_done"], fields["bytes_sent"]) == (4000, 12000, 8000)


def test_its_version_tells_whether_something_changed():
    counters = Counters()
    before = counters.version
    counters.fields()
    assert counters.version == before
    add(counters, bytes=1)
    assert counters.version > before
