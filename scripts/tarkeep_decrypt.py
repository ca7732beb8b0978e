#!/usr/bin/env python3
"""Turn an encrypted Tarkeep archive into a plain .tar.gz. Needs Python and `cryptography` only.

    pip install cryptography
    BACKUP_ENCRYPTION_KEY=... python tarkeep_decrypt.py backup.tar.gz plain.tar.gz
    tar xzf plain.tar.gz

`-` stands for standard input or output. Without BACKUP_ENCRYPTION_KEY the key is asked for.
The output is complete only when the exit code is 0: a file is named .partial until then; what
came out of a pipe must be thrown away on any other exit code. The format: docs/format.md.
"""

import getpass
import hashlib
import json
import os
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

HEADER = struct.Struct(">7sB B B B B B 3x 16s 8s Q 12x I")
RECORD = struct.Struct(">QQ24s32s32s")
TRAILER = struct.Struct(">8sQ")
MAX_BODY = 65 * 1024 * 1024
CHUNK, TAG = 16 * 1024, 16


def fail(message: str) -> NoReturn:
    sys.exit(f"tarkeep_decrypt: {message}")


def read_exactly(stream: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = stream.read(size - len(data))
        if not piece:
            break
        data += piece
    return data


def master_key(passphrase: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    if not (log_n <= 18 and r <= 8 and p <= 4):
        fail("the archive asks for key derivation costs out of bounds")
    return Scrypt(salt=salt, length=32, n=2**log_n, r=r, p=p).derive(passphrase.encode())


def key_id(master: bytes) -> bytes:
    return HKDFExpand(algorithm=SHA512(), length=8, info=b"tarkeep/v1/key-id").derive(master)


def open_message(master: bytes, context: bytes, message: bytes, where: str) -> bytes:
    """C2SP chunked-encryption, Cobblestone-256: salt 24, commitment 32, chunks of 16 KiB."""
    salt, commitment, body = message[:24], message[24:56], message[56:]
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    derived = HKDFExpand(algorithm=SHA512(), length=32 + 12 + 32, info=info).derive(master)
    key, nonce, expected = derived[:32], int.from_bytes(derived[32:44], "big"), derived[44:]
    if commitment != expected:
        fail(f"{where} is damaged, or sealed with another key")
    out, cipher, count = [], AESGCM(key), 0
    while True:
        chunk, body = body[: CHUNK + TAG], body[CHUNK + TAG :]
        try:
            counted = (nonce ^ count).to_bytes(12, "big")
            out.append(cipher.decrypt(counted, chunk, b""))
        except InvalidTag:
            fail(f"{where} is damaged")
        if len(chunk) < CHUNK + TAG:  # the last chunk is always a short one
            if body:
                fail(f"{where} has bytes behind its end")
            return b"".join(out)
        count += 1


def frames(stream: BinaryIO, passphrase: str) -> Iterator[tuple[int, bytes, bytes, bytes]]:
    """(kind, header, sealed body, plain body) of each frame up to the manifest."""
    master, first = None, None
    number = 0
    while True:
        where = f"frame {number}"
        raw = read_exactly(stream, HEADER.size)
        if len(raw) < HEADER.size:
            fail("the archive ends without its manifest: it was cut off")
        magic, version, kind, kdf, log_n, r, p, salt, identity, length, crc = HEADER.unpack(raw)
        if magic != b"TARKEEP":
            fail(f"there is no frame where {where} should begin (is this archive encrypted?)")
        if zlib.crc32(raw[:-4]) != crc:
            fail(f"{where} has a damaged header")
        if version != 1 or kdf != 1 or length > MAX_BODY:
            fail(f"{where} is of a format that this script does not read")
        if master is None:
            first = (salt, log_n, r, p, identity)
            master = master_key(passphrase, salt, log_n, r, p)
            if key_id(master) != identity:
                fail("this is not the key that the archive was encrypted with")
        elif (salt, log_n, r, p, identity) != first:
            fail(f"{where} is sealed with another key than those before it")
        body = read_exactly(stream, length)
        if len(body) < length:
            fail(f"the archive ends in the middle of {where}")
        yield kind, raw, body, open_message(master, b"tarkeep/v1/frame\0" + raw, body, where)
        if kind == 2:
            return
        number += 1


def decrypt(stream: BinaryIO, output: BinaryIO, passphrase: str) -> str:
    """Writes the plain archive; returns the backup's own name. Exits on any damage."""
    seen = []
    manifest = b""
    for kind, header, body, plain in frames(stream, passphrase):
        if kind == 2:
            manifest = plain
            size = len(header) + len(body)
            break
        if kind != 1:
            fail("a frame of another kind stands in the archive")
        output.write(plain)
        digest = hashlib.sha256(header + body).digest()
        raw_length = int.from_bytes(plain[-4:], "little")  # of a gzip member, RFC 1952
        seen.append(
            RECORD.pack(len(header) + len(body), raw_length, body[:24], body[24:56], digest)
        )
    if read_exactly(stream, TRAILER.size + 1) != TRAILER.pack(b"TKPEND\0\1", size):
        fail("the archive does not end after its manifest")
    length = int.from_bytes(manifest[:4], "big")
    if manifest[4 + length :] != b"".join(seen):
        fail("the frames are not those that the manifest lists: dropped, reordered or foreign")
    return str(json.loads(manifest[4 : 4 + length])["name"])


def main(argv: list[str]) -> None:
    if len(argv) != 3:
        sys.exit(__doc__)
    passphrase = os.environ.get("BACKUP_ENCRYPTION_KEY") or getpass.getpass("Encryption key: ")
    stream = sys.stdin.buffer if argv[1] == "-" else Path(argv[1]).open("rb")  # noqa: SIM115
    if argv[2] == "-":
        name = decrypt(stream, sys.stdout.buffer, passphrase)
        sys.stdout.buffer.flush()
    else:
        partial = Path(argv[2] + ".partial")
        with partial.open("wb") as output:
            name = decrypt(stream, output, passphrase)
            output.flush()
            os.fsync(output.fileno())
        partial.replace(argv[2])
    print(f"tarkeep_decrypt: {name} decrypted and checked", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv)
