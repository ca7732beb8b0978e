"""What people write by hand: tar, pigz, openssl and aws in one pipe."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from bench.measure import Command
from bench.peers import PASSPHRASE, Place, not_found

_CIPHER = "openssl enc -aes-256-ctr -pbkdf2 -pass env:PIPE_PASSPHRASE"


class Pipe:
    name = "tar, pigz -6, openssl, aws"

    def missing(self) -> str:
        return not_found("tar", "pigz", "openssl", "aws")

    def version(self) -> Command:
        return Command("(pigz --version; openssl version; aws --version) 2>&1 | cut -d' ' -f1-2")

    def prepare(self, place: Place) -> None:
        return None

    def idle(self, place: Place) -> None:
        return None

    def backup(self, place: Place, data: Path) -> Command:
        source = f"tar -C {quote(str(data))} -cf - ."
        return self._command(place, f"{source} | pigz -6 | {_CIPHER} | aws s3 cp - {_url(place)}")

    def restore(self, place: Place, target: Path) -> Command:
        return self._unpack(place, f"tar -C {quote(str(target))} -xpf -")

    def fetch(self, place: Place, path: str, target: Path) -> Command:
        return self._unpack(place, f"tar -xOf - {quote('./' + path)}", output=target)

    def _unpack(self, place: Place, then: str, output: Path | None = None) -> Command:
        shell = f"aws s3 cp {_url(place)} - | {_CIPHER} -d | pigz -d | {then}"
        return self._command(place, shell, output)

    def _command(self, place: Place, shell: str, output: Path | None = None) -> Command:
        env = {
            "AWS_ACCESS_KEY_ID": place.bucket.access_key,
            "AWS_SECRET_ACCESS_KEY": place.bucket.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "PIPE_PASSPHRASE": PASSPHRASE,
        }
        endpoint = f"aws --endpoint-url {place.bucket.endpoint}"
        return Command(shell.replace("aws s3", f"{endpoint} s3"), env, output=output)


def _url(place: Place) -> str:
    return f"s3://{place.bucket.name}/backup.tar.gz.enc"
