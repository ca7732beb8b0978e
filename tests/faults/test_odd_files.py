"""Rows 55 and 56 of the fault matrix, from the real command line to a real bucket and back."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.trees import describe
from tests.support.root import needs_root
from tests.support.s3client import s3_client
from worker.engine.archive import tarwrite
from worker.engine.config import StorageConfig

MIB = 1024 * 1024
ROOT = Path(__file__).parents[2]
GRANTS = struct.Struct("<HHI")  # tag, permissions, id: an entry of an ACL as Linux keeps it


class Shell:
    """`tarkeep` in a folder of its own, with a data folder and a bucket."""

    def __init__(self, folder: Path, storage: StorageConfig) -> None:
        self.folder, self.data, self.storage = folder, folder / "data", storage
        self.data.mkdir(parents=True)
        ours = {n: value for n, value in os.environ.items() if not n.startswith("BACKUP_")}
        self.env = ours | {
            "PYTHONPATH": str(ROOT),
            "BACKUP_S3_BUCKET": storage.bucket,
            "BACKUP_S3_ENDPOINT": storage.endpoint or "",
            "BACKUP_S3_ACCESS_KEY": storage.access_key,
            "BACKUP_S3_SECRET_KEY": storage.secret_key,
            "BACKUP_COMPRESSION_LEVEL": "1",
        }

    def run(self, *words: str, before: tuple[str, ...] = (), **env: str) -> tuple[int, str]:
        """Exit code, and what was said."""
        ran = subprocess.run(
            [*before, sys.executable, "-m", "worker.engine.cli", *words],
            cwd=self.folder,
            env=self.env | env,
            capture_output=True,
            text=True,
        )
        return ran.returncode, ran.stdout + ran.stderr

    def good(self, *words: str, **env: str) -> str:
        code, said = self.run(*words, **env)
        assert code == 0, said
        return said

    def newest(self) -> str:
        key: str = json.loads(self.good("list", "--json"))["backups"][0]["key"]
        return key

    def notes(self) -> dict[str, str]:
        """Of the newest backup's index: each path with a warning, saved or not."""
        told = json.loads(self.good("find", "*", "latest", "--json"))
        return {entry["path"]: entry["note"] for entry in told["matches"] if entry["note"]}

    def untar(self, target: Path) -> Path:
        """What GNU tar makes of the newest backup."""
        target.mkdir()
        subprocess.run(["tar", "xzf", str(self._fetched()), "-C", str(target)], check=True)
        return target / "data"

    def archive_listing(self) -> dict[str, str]:
        """GNU tar's line for each member of the newest backup, by its path."""
        command = ["tar", "tvzf", str(self._fetched()), "--numeric-owner"]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        return {line.split(maxsplit=5)[5]: line for line in ran.stdout.splitlines()}

    def _fetched(self) -> Path:
        target = self.folder / "fetched.tar.gz"
        target.write_bytes(s3_object(self.storage, self.newest()))
        return target

    def peak(self, *words: str) -> int:
        """Most memory that the command held, in bytes."""
        child = subprocess.Popen(
            [sys.executable, "-m", "worker.engine.cli", *words],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        return usage.ru_maxrss * 1024


def s3_object(storage: StorageConfig, key: str) -> bytes:
    got = s3_client(storage).get_object(Bucket=storage.bucket, Key=key)
    content: bytes = got["Body"].read()
    return content


@pytest.fixture
def shell(storage_config: StorageConfig, tmp_path: Path) -> Shell:
    return Shell(tmp_path / "here", storage_config)


def failing(paths: list[Path], *faults: str) -> tuple[str, ...]:
    """A command that has calls on those paths fail: `CALLS:error=E:when=N` (N+ is all from N)."""
    if shutil.which("strace") is None:
        why = "strace is not installed: apt install strace"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    told = [word for path in paths for word in ("-P", str(path))]
    told += [word for fault in faults for word in ("-e", f"inject={fault}")]
    return ("strace", "-f", "-qq", "-o", "/dev/null", *told, "--")


def failing_reads(path: Path, which: str) -> tuple[str, ...]:
    return failing([path], f"read,pread64:error=EIO:when={which}")


@pytest.fixture
def worn(shell: Shell) -> Path:
    """A file of three slices on a disk that is going bad, between two that are well."""
    (shell.data / "a").write_text("before")
    (shell.data / "z").write_text("behind")
    path = shell.data / "worn.bin"
    path.write_bytes(b"".join(os.urandom(4 * MIB) for _ in range(3)))
    return path


def test_row_55_what_a_failing_disk_does_not_give_is_listed_and_all_else_is_saved(
    shell: Shell, worn: Path
) -> None:
    # Behind the head and the rest of the first slice: the second slice as a whole, its first
    # half, and so on down to its first 4 KiB.
    code, said = shell.run("backup", before=failing_reads(worn, "3..13"))
    assert code == 0, said
    assert "worn.bin" in said
    assert shell.notes() == {"worn.bin": "FILE_READ_ERROR"}
    whole = worn.read_bytes()
    shell.good("restore", "latest", "--yes")
    assert (shell.data / "a").read_text() == "before"
    assert (shell.data / "z").read_text() == "behind"
    back = worn.read_bytes()
    assert len(back) == len(whole)
    lost = slice(4 * MIB, 4 * MIB + 4096)
    assert not any(back[lost])
    assert back == whole[: lost.start] + back[lost] + whole[lost.stop :]


def test_row_55_a_read_that_fails_once_costs_nothing(shell: Shell, worn: Path) -> None:
    code, said = shell.run("backup", before=failing_reads(worn, "2"))
    assert code == 0, said
    assert (said.count("warning"), shell.notes()) == (0, {})
    whole = worn.read_bytes()
    shell.good("restore", "latest", "--yes")
    assert worn.read_bytes() == whole


@pytest.mark.parametrize(("call", "code"), [(5, "FILE_UNREADABLE"), (6, "FILE_READ_ERROR")])
def test_row_55_folders_states_and_attributes_that_the_disk_does_not_give_cost_only_themselves(
    shell: Shell, worn: Path, call: int, code: str
) -> None:
    folder, odd = shell.data / "folder", shell.data / "odd"
    folder.mkdir()
    (folder / "inside").write_text("not to be had")
    odd.write_text("x")
    os.setxattr(odd, "user.colour", b"green")
    # The states: of the folder, of `odd` after it is read as a short file, then before and after as
    # one that has attributes, of the large file.
    faults = (
        "getdents64:error=EIO",
        "fgetxattr:error=EIO",
        f"fstat,newfstatat:error=EIO:when={call}",
    )
    exit_code, said = shell.run("backup", before=failing([folder, odd, worn], *faults))
    assert exit_code == 0, said
    assert shell.notes() == {
        "folder": "FOLDER_UNREADABLE", "odd": "XATTR_UNREADABLE", "worn.bin": code,
    }  # fmt: skip
    shell.good("restore", "latest", "--yes")
    assert (shell.data / "odd").read_text() == "x"
    assert not any(folder.iterdir())


def test_row_55_a_file_that_gives_nothing_at_all(shell: Shell, worn: Path) -> None:
    code, said = shell.run("backup", before=failing_reads(worn, "1+"))
    assert code == 0, said
    assert shell.notes() == {"worn.bin": "FILE_READ_ERROR"}
    shell.good("verify", "latest")


def test_row_55_where_the_policy_is_to_fail_nothing_is_published(shell: Shell, worn: Path) -> None:
    before = failing_reads(worn, "2+")
    code, said = shell.run("backup", before=before, BACKUP_ON_FILE_TROUBLE="fail")
    assert code == 3, said
    assert "worn.bin" in said
    assert json.loads(shell.good("list", "--json")) == {"backups": []}


def acl(*grants: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(GRANTS.pack(*grant) for grant in grants)


NOBODY = 65534
ACCESS = acl((1, 6, 2**32 - 1), (2, 4, NOBODY), (4, 4, 2**32 - 1), (16, 6, 2**32 - 1),
             (32, 4, 2**32 - 1))  # fmt: skip


def attributes(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in sorted(os.listxattr(path))}


@needs_root("ACLs are given back by root alone")
def test_row_56_attributes_and_acls_of_files_and_folders_come_back(shell: Shell) -> None:
    folder, file = shell.data / "folder", shell.data / "folder" / "file"
    folder.mkdir()
    file.write_text("x")
    for path in (folder, file):
        os.setxattr(path, "user.colour", b"\0\xffgreen")
        os.setxattr(path, "system.posix_acl_access", ACCESS)
    os.setxattr(folder, "system.posix_acl_default", ACCESS)
    before = attributes(folder), attributes(file), folder.stat().st_mode, file.stat().st_mode
    shell.good("backup")
    shell.good("restore", "latest", "--yes")
    after = attributes(folder), attributes(file), folder.stat().st_mode, file.stat().st_mode
    assert after == before


def test_row_56_a_set_user_id_bit_is_in_the_archive_and_not_given_back(shell: Shell) -> None:
    program = shell.data / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o4755)
    shell.good("backup")
    assert shell.archive_listing()["data/program"].startswith("-rwsr-xr-x")
    assert "set-user-id" in shell.good("restore", "latest", "--yes")
    assert stat.S_IMODE(program.stat().st_mode) == 0o755


def test_row_56_files_with_large_holes_come_back_with_them(shell: Shell, tmp_path: Path) -> None:
    sizes = {"four": 4 * 1024 * MIB, "nine": 9 * 1024 * MIB + 1}
    for name, size in sizes.items():
        with (shell.data / name).open("wb") as file:
            file.write(b"begins")
            file.truncate(size)
            file.seek(size - 4)
            file.write(b"ends")
    shell.good("backup")
    listed = shell.archive_listing()
    assert {name: int(listed[f"data/{name}"].split()[2]) for name in sizes} == sizes
    shell.untar(tmp_path / "tar")
    shell.good("restore", "latest", "--yes")
    for folder in (shell.data, tmp_path / "tar" / "data"):
        for name, size in sizes.items():
            path = folder / name
            assert (path.stat().st_size, path.stat().st_blocks < 1000) == (size, True)
            with path.open("rb") as file:
                assert file.read(8) == b"begins\0\0"
                file.seek(size - 6)
                assert file.read() == b"\0\0ends"


@pytest.mark.parametrize("tool", ["tar", "bsdtar"])
def test_row_56_a_dense_member_over_8_gib_is_understood(tmp_path: Path, tool: str) -> None:
    """Its header and the place of the next member; its content is a hole of the tar file's."""
    size = 9 * 1024 * MIB + 3
    large = tarwrite.TarEntry(b"data/large", tarwrite.REGULAR, 0o644, 0, 0, size, 10**18)
    small = tarwrite.TarEntry(b"data/small", tarwrite.REGULAR, 0o644, 0, 0, 2, -(10**18))
    path = tmp_path / "archive.tar"
    with path.open("wb") as file:
        file.write(tarwrite.header(large))
        file.seek(tarwrite.padded(size), os.SEEK_CUR)
        file.write(tarwrite.header(small) + b"ok" + tarwrite.padding(2) + tarwrite.END_OF_ARCHIVE)
    listed = subprocess.run([tool, "tvf", str(path)], capture_output=True, text=True, check=True)
    assert str(size) in listed.stdout
    command = [tool, "xOf", str(path), "data/small"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"ok"


def test_row_56_the_zoo_comes_back_from_the_bucket(shell: Shell, tmp_path: Path) -> None:
    zoo = shell.data
    (zoo / ("n" * 255)).write_text("the longest name")
    Path(os.fsdecode(os.fsencode(zoo) + b"/\xff\xfe\n")).write_text("no UTF-8")
    (zoo / "original").write_text("linked")
    os.link(zoo / "original", zoo / "twin")
    (zoo / "to-nowhere").symlink_to("nowhere/at all")
    for name, year in (("1901", -2_177_452_800), ("2100", 4_102_444_800)):
        (zoo / name).write_text(name)
        os.utime(zoo / name, ns=(1, year * 10**9 + 7))
    make_deep(zoo, 500)
    os.mkfifo(zoo / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.relpath(zoo / "socket"))
    listener.close()
    if os.geteuid() == 0:
        os.mknod(zoo / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    said = shell.good("backup")
    for name in ("pipe", "socket", *(["device"] if os.geteuid() == 0 else [])):
        assert name in said
        (zoo / name).unlink()
    before = describe(zoo)
    out = shell.untar(tmp_path / "tar")
    assert describe(out) == before
    shell.good("restore", "latest", "--yes")
    assert describe(zoo) == before
    for folder in (zoo, out):
        assert (folder / "original").stat().st_ino == (folder / "twin").stat().st_ino


def make_deep(folder: Path, depth: int, name: str = "d") -> None:
    inner = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=inner)
        outer, inner = inner, os.open(name, os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=inner))
    os.close(inner)


def deep_leaf(folder: Path, depth: int, name: str) -> bool:
    inner = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        outer, inner = inner, os.open(name, os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    try:
        return os.listdir(inner) == ["leaf"]
    finally:
        os.close(inner)


def test_row_56_paths_of_many_times_4_kib_come_back(shell: Shell) -> None:
    name = "x" * 60
    make_deep(shell.data, 500, name)  # 30,500 bytes
    shell.good("backup")
    shutil.rmtree(shell.data)
    shell.good("restore", "latest", "--yes")
    assert deep_leaf(shell.data, 500, name)
    listed = shell.archive_listing()
    assert max(map(len, listed)) > 30_000


def test_row_56_what_could_not_be_restored_is_left_out_and_said(shell: Shell) -> None:
    (shell.data / "near").write_text("kept")
    make_deep(shell.data, 751)
    code, said = shell.run("backup", BACKUP_ON_FILE_TROUBLE="fail")
    assert (code, "too deep" in said) == (3, True), said
    said = shell.good("backup")
    assert "too deep" in said
    shutil.rmtree(shell.data)
    shell.good("restore", "latest", "--yes")
    assert (shell.data / "near").read_text() == "kept"


@pytest.fixture
def roomy() -> Iterator[Path]:
    """In memory where that has the room for a million files, else on disk."""
    shm = Path("/dev/shm")
    room = os.statvfs(shm) if shm.is_dir() else None
    fits = room and room.f_bavail * room.f_frsize > 3 * 1024**3 and room.f_favail > 1_200_000
    place = shm if fits else Path(os.environ.get("TMPDIR", "/var/tmp"))
    made = place / f"tarkeep-million-{os.getpid()}"
    made.mkdir()
    yield made
    subprocess.run(["rm", "-rf", str(made)], check=True)


def make_files(folder: Path, folders: int) -> None:
    """A thousand empty files in each of so many folders."""
    for number in range(folders):
        inner = folder / f"{number:04}"
        inner.mkdir()
        descriptor = os.open(inner, os.O_RDONLY)
        for name in range(1000):
            os.close(os.open(f"file-{name:03}", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
        os.close(descriptor)


def test_row_56_a_million_files_take_no_more_memory_than_fifty_thousand(
    roomy: Path, storage_config: StorageConfig
) -> None:
    peaks = {}
    for folders in (50, 1000):
        shell = Shell(roomy / str(folders), storage_config)
        make_files(shell.data, folders)
        peaks[folders] = shell.peak("backup", "--quiet")
        fetched = s3_object(storage_config, shell.newest() + ".metadata.json")
        assert json.loads(fetched)["fileCount"] == folders * 1000
    assert peaks[1000] < peaks[50] + 48 * MIB, peaks
