"""Processes with one temporary folder are one machine; others are others."""

import subprocess
import sys
from pathlib import Path

from worker.engine.machine import FILE, machine_name

ASK = "import sys, pathlib; from worker.engine.machine import machine_name as m; "
ASK += "print(m(pathlib.Path(sys.argv[1])))"


def names(folder, count):
    command = [sys.executable, "-c", ASK, str(folder)]
    asked = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return {one.communicate()[0].strip() for one in asked}


def test_all_processes_that_ask_at_once_get_one_name(tmp_path):
    (name,) = names(tmp_path / "temp", 4)
    assert machine_name(tmp_path / "temp") == name
    assert [file.name for file in (tmp_path / "temp").iterdir()] == [FILE]


def test_another_folder_is_another_machine(tmp_path):
    assert machine_name(tmp_path / "one") != machine_name(tmp_path / "two")


def test_a_file_that_holds_no_name_is_replaced(tmp_path):
    (tmp_path / FILE).write_text("")
    assert len(machine_name(tmp_path)) == 32


def test_where_nothing_can_be_written_there_is_a_name_all_the_same():
    assert machine_name(Path("/proc/nowhere"))
