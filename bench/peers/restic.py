"""restic as it comes: its default compression (zstd), five connections."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from bench.measure import Command
from bench.peers import PASSPHRASE, Place, not_found


class Restic:
    name = "restic"

    def missing(self) -> str:
        return not_found("restic")

    def version(self) -> Command:
        return Command("restic version | cut -d' ' -f1-2")

    def prepare(self, place: Place) -> Command:
        return self._command(place, "init")

    def idle(self, place: Place) -> None:
        return None

    def backup(self, place: Place, data: Path) -> Command:
        return self._command(place, "backup .", folder=data)

    def restore(self, place: Place, target: Path) -> Command:
        return self._command(place, f"restore latest --target {quote(str(target))}")

    def fetch(self, place: Place, path: str, target: Path) -> Command:
        return self._command(place, f"dump latest {quote('/' + path)}", output=target)

    def _command(
        self, place: Place, task: str, *, folder: Path = Path("/"), output: Path | None = None
    ) -> Command:
        bucket = place.bucket
        env = {
            "AWS_ACCESS_KEY_ID": bucket.access_key,
            "AWS_SECRET_ACCESS_KEY": bucket.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "RESTIC_REPOSITORY": f"s3:{bucket.endpoint}/{bucket.name}",
            "RESTIC_PASSWORD": PASSPHRASE,
            "RESTIC_CACHE_DIR": str(place.work / "restic-cache"),
        }
        return Command(f"restic --quiet {task}", env, folder, output)
