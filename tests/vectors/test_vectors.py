"""Every vector gives what it says, by the engine and by the standalone script."""

from __future__ import annotations

import base64
import gzip
import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from worker.engine.archive.chunks import ChunkReader
from worker.engine.archive.unpack_frames import unpack_frames
from worker.engine.errors import EngineError

FOLDER = Path(__file__).parent
SCRIPT = FOLDER.parents[1] / "scripts" / "tarkeep_decrypt.py"
FILES = sorted(FOLDER.glob("*.txt"))


@dataclass(frozen=True)
class Vector:
    expect: str
    passphrase: str
    sha256: str
    archive: bytes


def load(path: Path) -> Vector:
    head, body = path.read_text().split("\n\n", 1)
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    archive = base64.b64decode(body)
    return Vector(fields["expect"], fields["passphrase"], fields.get("sha256", ""), archive)


def engine(vector: Vector) -> str:
    """OK and the tar's SHA-256, or the error's code."""
    source = ChunkReader(iter([vector.archive] if vector.archive else []), lambda _: None)
    digest = hashlib.sha256()
    try:
        for piece in unpack_frames(source, (vector.passphrase,), name=None):
            digest.update(piece)
    except EngineError as error:
        return error.code
    return f"OK {digest.hexdigest()}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_engine_gives_what_the_vector_says(path: Path) -> None:
    vector = load(path)
    assert engine(vector) == f"{vector.expect} {vector.sha256}".strip()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_script_opens_the_valid_and_refuses_the_broken(path: Path, tmp_path: Path) -> None:
    vector = load(path)
    sealed, plain = tmp_path / "sealed", tmp_path / "plain"
    sealed.write_bytes(vector.archive)
    ran = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(sealed), str(plain)],
        env={"BACKUP_ENCRYPTION_KEY": vector.passphrase, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode == 0) is (vector.expect == "OK"), ran.stderr
    assert plain.exists() is (vector.expect == "OK")
    assert "Traceback" not in ran.stderr
    if vector.expect == "OK":
        tar = gzip.decompress(plain.read_bytes())
        assert hashlib.sha256(tar).hexdigest() == vector.sha256


def test_there_are_vectors_for_every_way_to_fail() -> None:
    assert {load(path).expect for path in FILES} >= {
        "OK",
        "ENCRYPTION_KEY_WRONG",
        "ARCHIVE_DAMAGED",
        "ARCHIVE_TRUNCATED",
        "MANIFEST_MISSING",
        "FRAME_FOREIGN",
        "FORMAT_UNSUPPORTED",
    }
