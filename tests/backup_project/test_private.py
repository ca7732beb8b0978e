"""What the service keeps is its owner's alone, however loose the umask is that it starts with."""

import os
import stat
import subprocess
import sys

import pytest

from backup_project.private import private_file, private_folder
from tests.launcher.launched import clean_environment, copy_tree


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_state_is_made_private_whatever_starts_it(tmp_path):
    home = copy_tree(tmp_path / "tarkeep")
    command = f"umask 0; exec {sys.executable} manage.py migrate --no-input"
    subprocess.run(
        ["sh", "-c", command], cwd=home, env=clean_environment(), check=True, capture_output=True
    )
    assert mode(home / "var") == mode(home / "logs") == 0o700
    files = [*(home / "var").iterdir(), *(home / "logs").iterdir()]
    assert {"tarkeep.sqlite3", "django-secret-key", "app.log"} <= {file.name for file in files}
    assert {file.name: mode(file) & 0o077 for file in files if mode(file) & 0o077} == {}


@pytest.mark.parametrize(("before", "after"), [(0o644, 0o600), (0o640, 0o640), (0o600, 0o600)])
def test_what_all_could_read_is_closed_and_a_group_stays(tmp_path, before, after):
    file = tmp_path / "app.log"
    file.write_text("kept")
    file.chmod(before)
    assert mode(private_file(file)) == after
    assert file.read_text() == "kept"


def test_a_folder_that_all_could_enter_is_closed(tmp_path):
    folder = tmp_path / "var"
    folder.mkdir(mode=0o755)
    assert mode(private_folder(folder)) == 0o700
