"""What the pages tell to type is typed, in one service that was started as README says.

Changed is only what cannot be the same here: the port, which may be taken, the size of a file,
`--yes` and the key where there is nobody to ask, placeholders and examples of keys.
"""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.docs.running import BY_HAND, README, SHELL, folder, idle
from tests.support.pages import ROOT, blocks, commands, page, section

__all__ = ["folder"]
pytestmark = pytest.mark.xdist_group("docs")
KEY = r"backups/whatsapp-data-backup-2025-08-29T05-00-00-000Z\.tar\.gz"
UUID = "6f0c7b7e-2f0e-4d1c-9d3e-6a1f6c1f3f10"
PASSPHRASE = "k" * 40


def test_readme_from_the_first_backup_to_a_restore_plain_and_encrypted(folder):
    _, script, decrypt = blocks(section(README, BY_HAND))
    assert "head -c 1G" in script
    script = script.replace("head -c 1G", "head -c 8M")
    told = folder.type(script)
    assert "restored, equal" in told
    assert "backup SUCCEEDED" in told
    with (folder.home / ".env").open("a") as env:
        env.write(f"BACKUP_ENCRYPTION_KEY={PASSPHRASE}\n")
    shell, _, backup, fetch, restore = script.split("\n\n")
    fetch = re.sub(r"^.*tar [tx]zf.*$", "", fetch, flags=re.MULTILINE)
    answered = f"export BACKUP_ENCRYPTION_KEY={PASSPHRASE}; {decrypt}\nunset BACKUP_ENCRYPTION_KEY"
    told = folder.type("\n".join([shell, backup, fetch, answered, restore]))
    assert '"encrypted":true' in told
    assert "\ndata/" in told
    assert "restored, equal" in told


def test_readme_a_running_backup(folder):
    """The service was started by what `make run` runs; `scripts/try_on_bare_debian.sh` types it."""
    run, doctor = blocks(section(README, "A running backup"))
    asked = ["make", "--no-print-directory", "-n", "-o", "install", *run.split()[1:]]
    told = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told == "exec .venv/bin/python -m launcher\n"
    assert "ok    bucket: " in folder.type(doctor)


def test_compose_what_is_typed_into_a_container(folder):
    (typed,) = [one for one in blocks(page("deployment.md")) if "exec worker tarkeep" in one]
    assert typed.count("docker compose exec worker ") == len(typed.splitlines())
    folder.type(typed.replace("docker compose exec worker ", ""))


def test_readme_the_command_line(folder):
    told = folder.type(commands(README, "The command line"))
    assert told.count("What was there before is kept in") == 2
    assert "ok    bucket" in told


def keys(folder):
    """Of all backups, the newest first; there are two at least."""
    listed = f"{SHELL}\n.venv/bin/tarkeep list --json"
    found = [one["key"] for one in json.loads(folder.type(listed))["backups"]]
    if len(found) < 2:
        folder.type(f"{SHELL}\n.venv/bin/tarkeep backup --quiet")
        return keys(folder)
    return found


def test_files_and_retention(folder):
    newest, older, *_ = keys(folder)
    for text in (page("files.md"), page("retention.md")):
        for block in blocks(text):
            if "--confirm" in block:
                continue
            typed = block.replace("KEY1", older).replace("KEY2", newest).replace("DIR", "restored")
            folder.type(re.sub(r"KEY", older, typed))
    assert (folder.home / "gradient.png").stat().st_size > 1000
    assert (folder.home / "restored" / "media" / "gradient.png").exists()
    assert (folder.home / "old-media").is_dir()


def test_retention_a_shrunken_backup_is_confirmed(folder):
    folder.type(f"mv data/media/film.bin .\n{SHELL}\n.venv/bin/tarkeep backup --quiet")
    (block,) = blocks(section(page("retention.md"), "When the data shrinks"))
    told = folder.run(block)
    assert "is confirmed" in told.stderr
    assert told.returncode == 0


def test_doctor(folder):
    told = folder.type("".join(blocks(page("doctor.md"))))
    assert told.count("ok    bucket: ") == 2
    assert "ok    beat: it runs" in told
    assert "ok    redis: it answers" in told


REFUSED = {
    "POST retention/confirm": "NOTHING_TO_CONFIRM",
    "POST delete": "BACKUP_KEPT",  # it was pinned just before
    "POST jobs/ID/cancel": "TOO_LATE_TO_CANCEL",
}


def test_api(folder):
    text = page("api.md")
    first, *_ = blocks(text)
    token = "sed -n 's/^BACKUP_API_TOKEN=//p' .env"
    shell = first.replace("the-value-of-BACKUP_API_TOKEN", f"$({token})")
    *_, key = keys(folder)
    made = ""
    for heading, script in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", text, re.M | re.S):
        for block in blocks(script) if "```sh" in script else ():
            idle(folder, shell)
            job = json.loads(folder.type(f"{shell}tk $TARKEEP/api/backup/jobs?limit=1"))["jobs"][0]
            typed = re.sub(KEY, key, block).replace(UUID, job["id"]).replace("1a2b3c4d", made)
            typed = typed.replace("--hash HASH", "").replace("--after 1200", "--after 1")
            told = folder.type(shell + typed)
            if "tk " not in block or "manage.py" in block:
                continue
            answer = json.loads(told)
            assert answer.get("code", "") == REFUSED.get(heading, ""), (heading, answer)
            made = answer.get("id", made) if heading == "POST tokens" else made
    assert (folder.home / "state.json").exists()
