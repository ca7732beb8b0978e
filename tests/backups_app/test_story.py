"""One log file for all processes, each line with the job it belongs to."""

import logging
import subprocess
import sys
import uuid

from backups_app.story import JobFilter, SharedRotatingFile, short_id, telling

WRITER = """
import logging, sys
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
