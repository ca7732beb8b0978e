"""Where a folder lies in its file system."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.engine.swap import mounts


@pytest.fixture
def mountinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(mounts, "_OWN", tmp_path)
    return tmp_path / "mountinfo"


def test_a_folder_is_known_by_the_nearest_mount_above_it(mountinfo: Path) -> None:
    mountinfo.write_text(
        "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "22 21 8:2 /vols/one /srv/my\\040data rw - ext4 /dev/sdb1 rw\n"
    )
    place = mounts.place_of(Path("/srv/my data/chats"))
    assert place == (b"8:2", Path("/vols/one/chats"))


def test_in_a_chroot_whose_root_is_no_mount_it_fits_nothing(mountinfo: Path) -> None:
    mountinfo.write_text("30 21 0:5 / /proc rw - proc proc rw\n")
    assert mounts.place_of(Path("/home/data")) == (b"", Path("/home/data"))
