"""The image's build stage, step by step, into a folder: as `docker build` would, without Docker.

Copied is what .dockerignore lets through, and run is what the Dockerfile says; only pip is
replaced by uv, which keeps to the same hashes and has the packages at hand already.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Image:
    """Where `/app` and `/venv` lie."""

    app: Path
    venv: Path


def build(target: Path) -> Image:
    image = Image(target / "app", target / "venv")
    image.app.mkdir(parents=True)
    for step, words in _steps():
        if step == "COPY":
            _copy(words, image)
        elif step == "RUN":
            _run(words, image)
    for name in ("var", "logs", "temp"):
        (image.app / name).mkdir()
    return image


def _steps() -> list[tuple[str, str]]:
    """Of the first stage; in the second its results are copied and a user is made."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    first, _second = re.split(r"^FROM (?!.*AS build)", text, flags=re.MULTILINE)
    lines = [line for line in first.splitlines() if line and line[0] != "#"]
    return [(step, words) for step, _, words in (line.partition(" ") for line in lines)]


def _copy(words: str, image: Image) -> None:
    source, target = words.split()
    ignored = GitIgnoreSpec.from_lines((ROOT / ".dockerignore").read_text().splitlines())
    tracked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", source]
    names = subprocess.run(tracked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        if not ignored.match_file(name) and (ROOT / name).is_file():
            place = image.app / target / name if target == "." else image.app / target
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place)


def _run(words: str, image: Image) -> None:
    uv = shlex.join([sys.executable, "-m", "uv"])
    script = words.replace("python -m venv /venv", f"{uv} venv --quiet {image.venv}")
    pip = f"{uv} pip install --quiet --python {image.venv}"
    script = script.replace("/venv/bin/pip install --no-cache-dir", pip)
    assert "/venv/bin/pip" not in script
    subprocess.run(["sh", "-eu", "-c", script], cwd=image.app, check=True)
