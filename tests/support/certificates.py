"""Certificates for servers on this machine: right ones and wrong ones, made by `openssl`."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

RIGHT = "IP:127.0.0.1"
LONG_AGO = ("20200101000000Z", "20200201000000Z")


@dataclass(frozen=True)
class Authority:
    """A certificate authority in a folder. `bundle` is what its clients trust."""

    folder: Path

    @property
    def bundle(self) -> Path:
        return self.folder / "ca.pem"

    def __post_init__(self) -> None:
        (self.folder / "issued").mkdir(parents=True)
        (self.folder / "index").touch()
        self._key("ca")
        self._openssl(
            "req", "-x509", "-key", "ca.key", "-out", "ca.pem", "-subj", "/CN=Tests", "-days", "9"
        )

    def certificate(self, name: str, *, host: str = RIGHT, expired: bool = False) -> Path:
        """A key with its certificate in one file, for the host (a subjectAltName)."""
        self._key(name)
        self._request(name)
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={host}\n")
        if expired:
            self._backdated(name)
        else:
            self._openssl(
                "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-extfile", f"{name}.ext", "-out", f"{name}.crt", "-days", "9",
            )  # fmt: skip
        return self._joined(name)

    def self_signed(self, name: str) -> Path:
        self._key(name)
        self._openssl(
            "req", "-x509", "-key", f"{name}.key", "-out", f"{name}.crt", "-days", "9",
            "-subj", "/CN=self", "-addext", f"subjectAltName={RIGHT}",
        )  # fmt: skip
        return self._joined(name)

    def _backdated(self, name: str) -> None:
        """By `openssl ca`, the one command of old versions that takes dates in the past."""
        (self.folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=issued\nserial=serial\n"
            "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
        )
        self._openssl(
            "ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key",
            "-in", f"{name}.csr", "-out", f"{name}.crt", "-extfile", f"{name}.ext",
            "-create_serial", "-startdate", LONG_AGO[0], "-enddate", LONG_AGO[1],
        )  # fmt: skip

    def _key(self, name: str) -> None:
        self._openssl(
            "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-out", f"{name}.key",
        )  # fmt: skip

    def _request(self, name: str) -> None:
        self._openssl("req", "-new", "-key", f"{name}.key", "-subj", "/CN=x", "-out", f"{name}.csr")

    def _joined(self, name: str) -> Path:
        joined = self.folder / f"{name}.pem"
        parts = (self.folder / f"{name}{suffix}" for suffix in (".key", ".crt"))
        joined.write_bytes(b"".join(part.read_bytes() for part in parts))
        return joined

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)
