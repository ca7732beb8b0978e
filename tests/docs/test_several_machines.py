"""docs/several-machines.md is followed: another folder, and another machine.

The second machine is a folder of its own on this one, with a name, a `.env` and processes of its
own. Changed is what cannot be the same here: addresses, paths, and the name of the nodes, which
would be that of one host.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.docs.running import PATIENCE, Folder, folder
from tests.launcher.launched import copy_tree
from tests.support.pages import blocks, commands, page, section

__all__ = ["folder"]
PAGE = page("several-machines.md")
FURTHER = section(PAGE, "A further machine")
TOKEN = "$(sed -n 's/^BACKUP_API_TOKEN=//p' .env)"


def here(script: str, folder: Folder) -> str:
    script = script.replace("the-value-of-BACKUP_API_TOKEN", TOKEN)
    return script.replace("/srv/", f"{folder.home}/srv/")


@pytest.fixture(scope="module")
def shell(folder):
    """The page's own way to call the API."""
    first, *_ = commands(PAGE, "Another folder of this machine").split("\n\n")
    return here(first, folder) + "\n"


def ended(folder, shell, plan):
    """The plan's job, once it has."""
    end = monotonic() + PATIENCE
    while True:
        told = folder.type(f'{shell}call "$TARKEEP/api/backup/jobs?plan={plan}&limit=1"')
        (job,) = json.loads(told)["jobs"]
        if job["state"] not in {"PENDING", "RUNNING"}:
            return job
        assert monotonic() < end, job
        sleep(0.5)


@pytest.fixture(scope="module")
def media(folder, shell):
    """The first section, as far as one job after it."""
    data = folder.home / "srv" / "media"
    data.mkdir(parents=True)
    (data / "film.bin").write_bytes(b"film")
    folder.type(here(commands(PAGE, "Another folder of this machine"), folder))
    return ended(folder, shell, "media")


def test_another_folder_of_this_machine(media):
    assert (media["state"], media["host"]) == ("SUCCEEDED", "main")
    assert media["backupKey"].startswith("backups/media/")


def test_the_command_line_works_on_a_plan(folder, media):
    told = folder.type(commands(PAGE, "The command line"))
    assert media["backupKey"] in told
    assert "1 unchanged (4 B)" in told  # of this folder, not the sample's


@pytest.fixture
def web2(folder, tmp_path):
    """A further machine's folder, its two parts started as the page says."""
    home = copy_tree(tmp_path / "web2")
    (home / ".venv").symlink_to(sys.prefix)
    (home / ".env").write_text(settings(folder))
    there = replace(folder, home=home)
    (script,) = [one for one in blocks(FURTHER) if "celery" in one]
    script = script.replace("%h", "web2").replace(" &\n", " >>screen.txt 2>&1 &\n")
    started = [int(pid) for pid in there.type(f"{script}jobs -p").split()]
    assert len(started) == 2
    yield there
    for pid in started:
        os.kill(pid, signal.SIGTERM)


def settings(folder: Folder) -> str:
    """The page's `.env`, with the values that hold here."""
    env = (folder.home / "var" / "bucket.env").read_text() + of_a_part(folder, "REDIS_URL")
    env += f"DATABASE_URL=sqlite:///{folder.home}/var/tarkeep.sqlite3\n"
    given = dict(line.split("=", 1) for line in env.splitlines() if "=" in line)
    (block,) = blocks(FURTHER, "ini")
    names = re.findall(r"^(\w+)=", block, re.MULTILINE)
    own = {"BACKUP_HOST": "web2", "BACKUP_ENCRYPTION_KEY": ""}
    values = {name: own.get(name, given.get(name, "")).strip("'\"") for name in names}
    assert [name for name, value in values.items() if not value] == ["BACKUP_ENCRYPTION_KEY"]
    values["BACKUP_S3_ENDPOINT"] = given["BACKUP_S3_ENDPOINT"].strip("'\"")
    return "".join(f"{name}={value}\n" for name, value in values.items())


def of_a_part(folder: Folder, name: str) -> str:
    """What the launcher has told its parts."""
    assert folder.launched
    environ = Path(f"/proc/{folder.launched.part('-Q backup')}/environ").read_text()
    (line,) = [one for one in environ.split("\0") if one.startswith(f"{name}=")]
    return f"{line}\n"


def test_a_further_machine(folder, shell, web2):
    data = folder.home / "srv" / "shop" / "data"
    data.mkdir(parents=True)
    (data / "cart.json").write_text("{}")
    (make,) = [one for one in blocks(FURTHER) if '"shop"' in one]
    folder.type(shell + here(make, folder))
    job = ended(folder, shell, "shop")
    assert (job["state"], job["host"]) == ("SUCCEEDED", "web2"), job
    assert "web2" in json.loads(folder.type(f"{shell}call $TARKEEP/api/backup/plans"))["hosts"]
    (listed,) = [one for one in blocks(FURTHER) if "manage.py plans" in one]
    assert re.search(r"^shop +web2 +runs ", web2.type(listed), re.MULTILINE)
    assert re.search(r"^shop +web2 +runs ", folder.type(listed), re.MULTILINE)
    doctor = ".venv/bin/python manage.py doctor --plan shop"
    assert doctor.removeprefix(".venv/bin/python ") in FURTHER
    assert f"{data} can be read" in web2.type(doctor)
    wrong = folder.run(doctor)
    assert wrong.returncode
    assert "lies on the machine web2" in wrong.stderr
