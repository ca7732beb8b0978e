"""Unpacking beneath one folder: everything comes back as it was."""

from __future__ import annotations

import io
import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from tests.support import hostile
from tests.support.root import needs_root
from worker.engine.errors import ArchiveError, JobStopped, TargetError
from worker.engine.extract.beneath import Beneath
from worker.engine.extract.extract import Room, extract
from worker.engine.extract.membernames import stays_inside
from worker.engine.progress import Progress

ROOT = os.geteuid() == 0
LISTING = ["find", ".", "-printf", "%P %y %m %U %G %s %T@ %n %l\\n"]


def tar_of(folder: Path, *options: str) -> io.BytesIO:
    command = ["tar", "-c", *options, "-C", str(folder), "data"]
    return io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)


def listing(folder: Path) -> list[bytes]:
    return sorted(
        subprocess.run(LISTING, cwd=folder, capture_output=True, check=True).stdout.splitlines()
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with one of everything."""
    root = tmp_path / "data"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "plain").write_text("plain")
    (root / "sub" / "large").write_bytes(os.urandom(3_000_000))
    (root / "sub" / "deep" / ("é" * 100)).write_text("long")
    (root / "empty-file").write_bytes(b"")
    (root / "empty-folder").mkdir(mode=0o700)
    (root / "private").write_text("x")
    (root / "private").chmod(0o600)
    (root / "open").write_text("x")
    (root / "open").chmod(0o666)
    (root / "to-file").symlink_to("sub/large")
    (root / "sub" / "up").symlink_to("../plain")
    (root / "hanging").symlink_to("nowhere")
    os.link(root / "plain", root / "sub" / "hard")
    (root / "sub").chmod(0o555)
    for number, path in enumerate(sorted(root.rglob("*"))):
        stamp = 1_600_000_000_123_456_789 + number * 10**9
        os.utime(path, ns=(stamp, stamp), follow_symlinks=False)
    os.utime(root, ns=(10**18, 10**18))
    return root


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir(mode=0o700)
    return folder


@pytest.mark.parametrize("openat2", [True, False], ids=["openat2", "walk"])
@pytest.mark.parametrize("order", [[], ["--sort=name"], ["--no-recursion", "-T-"]])
def test_a_tree_comes_back_with_modes_times_links_and_owners(
    openat2: bool, order: list[str], data: Path, target: Path, tmp_path: Path
) -> None:
    stream = (
        folders_last(tmp_path) if "-T-" in order else tar_of(tmp_path, "--format=posix", *order)
    )
    result = extract(stream, target, Progress(), owner=ROOT, use_openat2=openat2)
    assert listing(target) == listing(data)
    assert (target / "sub" / "large").read_bytes() == (data / "sub" / "large").read_bytes()
    assert (result.files, result.folders, result.skipped) == (10, 4, 0)
    assert result.root_recorded


def folders_last(folder: Path) -> io.BytesIO:
    """As our own archives are: all folders' records at the end."""
    kinds = (["-not", "-type", "d"], ["-type", "d"])
    names = b"".join(
        subprocess.run(["find", "data", *kind], cwd=folder, capture_output=True, check=True).stdout
        for kind in kinds
    )
    command = ["tar", "-c", "--format=posix", "--no-recursion", "-C", str(folder), "-T-"]
    return io.BytesIO(subprocess.run(command, input=names, capture_output=True, check=True).stdout)


def test_folders_without_a_record_are_made_for_us_alone(target: Path) -> None:
    extract(io.BytesIO(hostile.file(b"data/a/b/c") + hostile.END), target, Progress())
    assert stat.S_IMODE((target / "a").stat().st_mode) == 0o700
    assert (target / "a" / "b" / "c").read_bytes() == b"x"


def test_attributes_of_users_come_back_and_others_are_reported(target: Path) -> None:
    heard = Heard()
    records = hostile.pax(
        (b"SCHILY.xattr.user.note", b"kept"), (b"SCHILY.xattr.security.capability", b"dropped")
    )
    extract(io.BytesIO(records + hostile.file(b"data/f") + hostile.END), target, heard)
    assert os.listxattr(target / "f") == ["user.note"]
    assert heard.codes == ["XATTR_SKIPPED"]


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6777])
def test_set_user_id_bits_are_dropped_and_reported(mode: int, target: Path) -> None:
    heard = Heard()
    tar = hostile.header(b"data/f", mode=mode) + hostile.END
    extract(io.BytesIO(tar), target, heard, owner=ROOT)
    assert stat.S_IMODE((target / "f").stat().st_mode) == mode & 0o777
    assert heard.codes == ["MODE_REDUCED"]


def test_pipes_are_left_out_and_reported(target: Path) -> None:
    heard = Heard()
    tar = hostile.GOOD + hostile.header(b"data/pipe", b"6") + hostile.END
    assert extract(io.BytesIO(tar), target, heard).skipped == 1
    assert not (target / "pipe").exists()
    assert heard.codes == ["SPECIAL_FILE"]


def test_working_files_of_ours_in_a_foreign_archive_are_left_out(target: Path) -> None:
    heard = Heard()
    names = (b"data/.tarkeep-restore-data.json", b"data/.tarkeep-before-restore-x/old")
    extract(
        io.BytesIO(b"".join(map(hostile.file, names)) + hostile.GOOD + hostile.END), target, heard
    )
    assert sorted(path.name for path in target.iterdir()) == ["good"]
    assert heard.codes == ["RESERVED_NAME"]


def test_holes_come_back_as_holes(tmp_path: Path, target: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with (folder / "sparse").open("wb") as out:
        out.seek(8_000_000)
        out.write(b"end")
        out.truncate(16_000_000)
    for options in (["-S", "--format=posix"], ["-S", "--format=oldgnu"], []):
        into = target / "-".join(["in", *options])
        into.mkdir()
        extract(tar_of(tmp_path, *options), into, Progress())
        assert (into / "sparse").read_bytes() == (folder / "sparse").read_bytes()
        assert (into / "sparse").stat().st_blocks * 512 < 4_000_000


@needs_root("only root can give files away")
def test_owners_come_back_only_where_asked(target: Path) -> None:
    tar = hostile.header(b"data/f", owner=1234) + hostile.END
    extract(io.BytesIO(tar), target, Progress(), owner=True)
    assert (target / "f").stat().st_uid == 1234
    heard = Heard()
    other = target / "other"
    other.mkdir()
    extract(io.BytesIO(tar), other, heard, owner=False)
    assert (other / "f").stat().st_uid == os.geteuid()
    assert heard.codes == ["OWNER_NOT_RESTORED"]


@pytest.mark.parametrize(
    ("link", "to", "inside"),
    [
        (b"a", b"b", True),
        (b"a/b", b"../c", True),
        (b"a/b", b"./x//y/", True),
        (b"a", b"..", False),
        (b"a/b", b"../..", False),
        (b"a", b"/etc", False),
        (b"a", b"", False),
        (b"b", b"a/a/../..", False),
        (b"b", b"a/..", False),
    ],
)
def test_a_link_is_inside_only_if_no_other_link_can_lead_it_out(
    link: bytes, to: bytes, inside: bool
) -> None:
    assert stays_inside(link, to) is inside


def test_links_out_of_the_folder_come_back_only_where_the_caller_says_so(target: Path) -> None:
    heard = Heard()
    links = hostile.symlink(b"data/known", b"/mnt/big") + hostile.symlink(b"data/new", b"/etc")
    tar = hostile.GOOD + links
    rule = lambda path, to: (path, to) == (b"known", b"/mnt/big")  # noqa: E731
    result = extract(io.BytesIO(tar + hostile.END), target, heard, outside_link=rule)
    assert sorted(path.name for path in target.iterdir()) == ["good", "known"]
    assert (result.skipped, heard.codes) == (1, ["LINK_OUTSIDE"])
    assert "/etc" in heard.warnings[0].message


def test_more_than_there_is_space_for_is_refused_before_it_is_written(target: Path) -> None:
    tar = hostile.GOOD + hostile.file(b"data/large", b"x" * 5000) + hostile.END
    with pytest.raises(TargetError) as refused:
        extract(io.BytesIO(tar), target, Progress(), room=Room(space=4000))
    assert refused.value.code == "TARGET_NO_SPACE"
    assert not (target / "large").exists()


def test_a_job_told_to_stop_stops_between_files(target: Path) -> None:
    class Stopped(Progress):
        def checkpoint(self) -> None:
            raise JobStopped("stopped")

    many = b"".join(hostile.file(b"data/%d" % number) for number in range(1000))
    with pytest.raises(JobStopped):
        extract(io.BytesIO(many + hostile.END), target, Stopped())
    assert 0 < len(list(target.iterdir())) < 1000


def test_more_folders_than_are_kept_open_are_all_filled(target: Path) -> None:
    many = b"".join(hostile.file(b"data/%d/%d" % (n % 150, n)) for n in range(600))
    before = len(os.listdir("/proc/self/fd"))
    assert extract(io.BytesIO(many + hostile.END), target, Progress()).files == 600
    assert len(list(target.glob("*/*"))) == 600
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("openat2", [True, False], ids=["openat2", "walk"])
def test_folders_are_never_reached_through_a_link(openat2: bool, target: Path) -> None:
    (target / "real").mkdir()
    (target / "ln").symlink_to("real")
    (target / "out").symlink_to("/tmp")
    root = os.open(target, os.O_RDONLY)
    beneath = Beneath(root, use_openat2=openat2)
    for path in (b"ln", b"out", b"ln/x", b"out/x"):
        with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
            beneath.folder(path)
    assert not list((target / "real").iterdir())
    beneath.close()
    os.close(root)


def test_an_archive_with_only_a_dot_folder_above_data_is_fine(target: Path) -> None:
    tar = hostile.folder(b"./") + hostile.folder(b"./data/") + hostile.file(b"./data/f")
    assert extract(io.BytesIO(tar + hostile.END), target, Progress()).files == 1


def test_an_archive_without_a_data_folder_is_refused(target: Path) -> None:
    with pytest.raises(ArchiveError, match="no data folder"):
        extract(io.BytesIO(hostile.folder(b"./") + hostile.END), target, Progress())
