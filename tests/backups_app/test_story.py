"""One log file for all processes, each line with the job it belongs to."""

import json
import logging
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

from backup_project.logs import JsonLines, logging_config
from backups_app.story import JobFilter, SharedRotatingFile, short_id, telling

WRITER = """
import logging, sys
from backup_project.logs import JsonLines, logging_config
from backups_app.story import SharedRotatingFile
log = logging.getLogger("writer")
log.propagate = False
log.addHandler(SharedRotatingFile(sys.argv[1], max_bytes=20_000))
for number in range(400):
    log.warning("%s line %d of a long enough text", sys.argv[2], number)
"""


def test_lines_of_a_block_belong_to_the_job():
    job_id = uuid.uuid4()
    record = logging.makeLogRecord({})
    with telling(job_id):
        JobFilter().filter(record)
    assert record.job == short_id(job_id) == str(job_id)[:8]
    JobFilter().filter(record)
    assert record.job == "-"


def test_threads_of_a_worker_belong_to_its_job():
    def filtered():
        record = logging.makeLogRecord({})
        JobFilter().filter(record)
        return record.job

    job_id = uuid.uuid4()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(filtered).result() == "-"
        with telling(job_id, every_thread=True):
            assert pool.submit(filtered).result() == short_id(job_id)
        with telling(job_id):
            assert pool.submit(filtered).result() == "-"
        assert pool.submit(filtered).result() == "-"


def test_json_lines_are_one_object_each_with_job_and_traceback():
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.getLogger("a").makeRecord(
            "a", logging.ERROR, "f", 1, "said %s\nmore", ("é",), sys.exc_info()
        )
    record.job = "0123abcd"
    (line,) = JsonLines().format(record).splitlines()
    told = json.loads(line)
    assert (told["level"], told["job"], told["message"]) == ("ERROR", "0123abcd", "said é\nmore")
    assert "ValueError: two\nlines" in told["error"]


def test_the_format_of_lines_can_be_chosen(tmp_path):
    for style in ("text", "json"):
        config = logging_config(tmp_path / "app.log", style=style)
        used = {handler["formatter"] for handler in config["handlers"].values()}
        assert used == {style}
        assert style in config["formatters"]


def test_five_processes_lose_no_line_while_the_file_rotates(tmp_path):
    file = tmp_path / "app.log"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(file), f"writer{number}"])
        for number in range(5)
    ]
    assert [writer.wait(60) for writer in writers] == [0] * 5
    kept = sorted(tmp_path.glob("app.log*"))
    lines = [line for path in kept if path.suffix != ".lock" for line in path.open()]
    assert len(kept) > 3
    assert all(line.startswith("writer") and line.endswith("text\n") for line in lines)
    newest = {f"writer{number} line 399 of a long enough text\n" for number in range(5)}
    assert newest <= set(lines)
    assert max(path.stat().st_size for path in kept) <= 25_000


def test_it_goes_on_in_the_new_file_when_another_process_renamed_it(tmp_path):
    file = tmp_path / "app.log"
    handler = SharedRotatingFile(str(file))
    handler.emit(logging.makeLogRecord({"msg": "before"}))
    file.rename(tmp_path / "app.log.1")
    handler.emit(logging.makeLogRecord({"msg": "after"}))
    handler.close()
    assert file.read_text() == "after\n"
