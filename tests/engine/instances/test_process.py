"""Commands of the user's: no shell, no secrets, no waiting without end, no flood."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support.writer import alive
from worker.engine.instances.process import MAX_LINE, MAX_LINES, NotRun, run

PYTHON = sys.executable
SLEEPER = """
import os, pathlib, signal, sys, time
pathlib.Path(sys.argv[1], "x.pid").write_text(str(os.getpid()))
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
time.sleep(120)
"""
PARENT = """
import subprocess, sys
argv = [sys.executable, "-c", *sys.argv[1:3]]
process = subprocess.Popen(argv, start_new_session="stay" not in sys.argv)
print(process.pid)
if "stay" in sys.argv:
    process.wait()
"""


def said(code: str, **options: object) -> list[str]:
    lines: list[str] = []
    run([PYTHON, "-c", code], timeout=30, on_line=lines.append, **options)  # type: ignore[arg-type]
    return lines


def ends_soon(folder: Path, name: str) -> bool:
    """SIGKILL was sent; on a busy machine it takes the kernel a moment."""
    deadline = time.monotonic() + 10
    while alive(folder, name) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(folder, name)


def test_the_exit_code_is_told():
    assert run([PYTHON, "-c", "raise SystemExit(7)"], timeout=30) == 7
    assert run([PYTHON, "-c", "import os; os.kill(os.getpid(), 9)"], timeout=30) == -9


def test_output_and_errors_come_line_by_line():
    code = "print('a', flush=True); print('b', file=sys.stderr); print('ü', end='')"
    assert said(f"import sys; {code}") == ["a", "b", "ü"]


def test_nothing_is_left_to_a_shell(tmp_path: Path):
    lines: list[str] = []
    run(["echo", "$HOME;", ">", f"{tmp_path}/x", "`id`"], timeout=30, on_line=lines.append)
    assert lines == [f"$HOME; > {tmp_path}/x `id`"]
    assert list(tmp_path.iterdir()) == []


def test_no_secret_of_ours_reaches_a_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", "very-secret")
    monkeypatch.setenv("DATABASE_URL", "postgres://user:very-secret@db/tarkeep")
    code = "import os; print(*sorted(os.environ)); print(os.environ['TARKEEP_JOB_ID'])"
    names, job = said(code, environment={"TARKEEP_JOB_ID": "7"})
    assert job == "7"
    assert "PATH" in names.split()
    assert not {"BACKUP_ENCRYPTION_KEY", "DATABASE_URL"} & set(names.split())


def test_a_command_out_of_time_is_ended_with_all_that_it_started(tmp_path: Path):
    argv = [PYTHON, "-c", PARENT, SLEEPER, str(tmp_path), "stay"]
    with pytest.raises(NotRun, match="did not end within 2 seconds"):
        run(argv, timeout=2)
    assert (tmp_path / "x.pid").exists()
    assert ends_soon(tmp_path, "x")


def test_one_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("worker.engine.instances.process.GRACE", 0.3)
    with pytest.raises(NotRun):
        run([PYTHON, "-c", SLEEPER, str(tmp_path), "deaf"], timeout=2)
    assert (tmp_path / "x.pid").exists()
    assert ends_soon(tmp_path, "x")


def test_what_a_command_leaves_running_is_not_waited_for(tmp_path: Path):
    lines: list[str] = []
    argv = [PYTHON, "-c", PARENT, SLEEPER, str(tmp_path)]
    assert run(argv, timeout=30, on_line=lines.append) == 0
    os.kill(int(lines[0]), signal.SIGKILL)  # it was alive all the time


def test_a_flood_of_output_is_cut_and_does_not_block_the_command():
    lines = said(f"for n in range({MAX_LINES * 3}): print(n)")
    assert len(lines) == MAX_LINES + 1
    assert lines[-1].startswith("... and more")
    [line] = said("print('x' * 3_000_000)")
    assert len(line) == MAX_LINE


def test_bytes_that_are_no_text_do_no_harm():
    assert said("import sys; sys.stdout.buffer.write(bytes([255, 10, 0]))") == ["\ufffd", "\0"]


@pytest.mark.parametrize("argv", [["/nowhere/command"], ["/"], ["x\0y"]])
def test_a_command_that_cannot_be_started_is_told(argv: list[str]):
    with pytest.raises(NotRun, match="could not be started"):
        run(argv, timeout=30)


def test_the_caller_s_own_trouble_ends_the_command(tmp_path: Path):
    def fail(_: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run([PYTHON, "-c", SLEEPER, str(tmp_path)], timeout=30, on_line=fail)
    assert (tmp_path / "x.pid").exists()
    assert ends_soon(tmp_path, "x")
