"""`python -m tests.soak.large --gib 9 --work DIR`: a dense file over 8 GiB there and back.

Beyond 8 GiB a tar header cannot tell a file's size by itself. Takes minutes, and room for three
of the files, so that it is no part of the suite. Its content is text that squeezes well: what is
tried out is the way of the bytes, not the compressor.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.servers import seaweed
from worker.engine.backup import BackupResult, run_backup
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.progress import Progress
from worker.engine.restore_to import run_restore_to
from worker.engine.storage.s3 import S3Storage, open_storage
from worker.engine.verify import run_verify

GIB = 1024**3
_BLOCK = 1024 * 1024
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=int, default=9)
    parser.add_argument("--work", type=Path, default=Path("var"))
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=given.work, prefix="large-") as folder,
        seaweed(Path(folder, "s3")) as server,
    ):
        bucket = server.new_bucket()
        storage = open_storage(
            StorageConfig(
                bucket=bucket.name,
                access_key=bucket.access_key,
                secret_key=bucket.secret_key,
                endpoint=bucket.endpoint,
            )
        )
        prove(Path(folder), storage, given.gib * GIB + 3)


def prove(folder: Path, storage: S3Storage, size: int) -> None:
    """Fails where something does not come back. Before the second backup one byte is changed."""
    plan = PlanConfig(data_dir=folder / "data", temp_dir=folder / "temp", compression_level=1)
    plan.data_dir.mkdir()
    (plan.data_dir / "behind").write_text("what comes behind it")
    file = plan.data_dir / "a-large-one"
    write(file, size)
    for number in (1, 2):
        made = run_backup(plan, storage, Progress(), now=NOW + timedelta(days=number))
        say(f"backup {number}", made)
        read = run_verify(plan, storage, Progress(), key=made.key)
        assert read.bytes == made.data_size > size
        by_tar(storage, made.key, digest(file))
        out = folder / f"restored-{number}"
        run_restore_to(plan, storage, Progress(), key=made.key, target=out)
        assert digest(out / file.name) == digest(file)
        subprocess.run(["rm", "-r", str(out)], check=True)
        with file.open("r+b") as changed:
            changed.seek(size // 2)
            changed.write(b"!")


def write(file: Path, size: int) -> None:
    with file.open("wb") as out:
        for number in range(size // _BLOCK + 1):
            line = b"%019d\n" % number
            out.write((line * (_BLOCK // len(line) + 1))[: min(_BLOCK, size - number * _BLOCK)])


def digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def by_tar(storage: S3Storage, key: str, wanted: str) -> None:
    """GNU tar unpacks the archive, and gives the file's content to `sha256sum`."""
    command = "tar xzf - --to-command='sha256sum >&2' data/a-large-one"
    with subprocess.Popen(
        ["sh", "-c", command], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as tar:
        assert tar.stdin is not None
        assert tar.stderr is not None
        for piece in storage.get(key):
            tar.stdin.write(piece)
        tar.stdin.close()
        assert tar.stderr.read().decode().split()[0] == wanted


def say(what: str, made: BackupResult) -> None:
    parts = f"read {made.bytes_read}, sent {made.bytes_sent}, copied {made.bytes_copied}"
    print(f"{what}: {made.data_size} bytes of data, {parts}", flush=True)


if __name__ == "__main__":
    main()
