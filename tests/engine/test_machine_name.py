"""Processes with one temporary folder are one machine; others are others."""

import errno
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from worker.engine import machine
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


def test_who_found_none_takes_the_one_that_another_made_meanwhile(tmp_path):
    made = machine._make(tmp_path / FILE)
    assert machine._make(tmp_path / FILE) == made
    assert (tmp_path / FILE).read_text() == f"{made}\n"


@pytest.mark.parametrize("there", [None, "no name"])
def test_all_parts_of_a_service_that_begin_at_once_agree(tmp_path, there):
    ask = machine_name.__wrapped__  # each as a process of its own would: nothing is remembered
    for turn in range(20):
        folder, begin = tmp_path / str(turn), Barrier(8)
        folder.mkdir()
        if there:
            (folder / FILE).write_text(there)

        def name(folder=folder, begin=begin):
            begin.wait()
            return ask(folder)

        with ThreadPoolExecutor(8) as pool:
            assert len({one.result() for one in [pool.submit(name) for _ in range(8)]}) == 1


def test_a_file_system_without_hard_links_holds_a_name_too(tmp_path, monkeypatch):
    def link(*_):
        raise PermissionError(errno.EPERM, "as vfat says")

    monkeypatch.setattr(machine.os, "link", link)
    name = machine._make(tmp_path / FILE)
    assert machine._make(tmp_path / FILE) == name == (tmp_path / FILE).read_text().strip()
    assert len(name) == 32
