"""PAX extended header records: "LENGTH KEYWORD=VALUE\\n", one after another (POSIX.1-2017 pax)."""

from __future__ import annotations

from worker.engine.extract.refusals import damaged, hostile
from worker.engine.extract.tarheader import Header

Records = dict[bytes, bytes]

XATTR = b"SCHILY.xattr."
SPARSE = b"GNU.sparse."
_NANO = 1_000_000_000
_SECONDS_BITS = 62
_LENGTH_DIGITS = 8
_NEVER_GLOBAL = (b"path", b"linkpath", b"size")
_KEPT_GLOBAL = (b"mtime", b"uid", b"gid", b"uname", b"gname")


def parse(data: bytes) -> Records:
    """All records of one header block; the last of a keyword counts, an empty value unsets."""
    records: Records = {}
    at = 0
    while at < len(data):
        keyword, value, at = _record(data, at)
        records[keyword] = value
    return {keyword: value for keyword, value in records.items() if value}


def parse_global(data: bytes) -> Records:
    """What may hold for all members after it. A name or size for all would be an attack."""
    records = parse(data)
    for keyword in records:
        if keyword in _NEVER_GLOBAL or keyword.startswith((SPARSE, XATTR)):
            raise hostile("a global header gives every member the same name, size or attributes")
    return {keyword: records[keyword] for keyword in _KEPT_GLOBAL if keyword in records}


def apply(header: Header, records: Records) -> None:
    """Lay the records over what the plain header says."""
    header.path = records.get(b"path", header.path)
    header.link = records.get(b"linkpath", header.link)
    header.uname = records.get(b"uname", header.uname)
    header.gname = records.get(b"gname", header.gname)
    header.size = _natural(records, b"size", header.size)
    header.uid = _natural(records, b"uid", header.uid)
    header.gid = _natural(records, b"gid", header.gid)
    if b"mtime" in records:
        header.mtime = nanoseconds(records[b"mtime"])
    for keyword, value in records.items():
        if keyword.startswith(XATTR):
            name = keyword[len(XATTR) :].replace(b"%3D", b"=").replace(b"%25", b"%")
            header.xattrs[name] = value


def natural(value: bytes) -> int:
    """Decimal digits and nothing else, below 2**63."""
    if not value.isdigit() or len(value) > 19 or int(value) >> 63:
        raise damaged("a PAX record holds a number that cannot be read")
    return int(value)


def nanoseconds(value: bytes) -> int:
    """A decimal time as `-12.345678901`; digits past the ninth are dropped (towards zero)."""
    whole, _, fraction = value.removeprefix(b"-").partition(b".")
    parts = natural(whole or b"0"), natural(fraction[:9].ljust(9, b"0"))
    if parts[0] >> _SECONDS_BITS:
        raise damaged("a PAX record holds a time out of range")
    total = parts[0] * _NANO + parts[1]
    return -total if value.startswith(b"-") else total


def _record(data: bytes, at: int) -> tuple[bytes, bytes, int]:
    space = data.find(b" ", at, at + _LENGTH_DIGITS)
    if space < 0:
        raise damaged("a PAX record has no length")
    end = at + natural(data[at:space])
    keyword, equals, value = data[space + 1 : end - 1].partition(b"=")
    if end > len(data) or end <= space or not keyword or not equals or data[end - 1] != 0x0A:
        raise damaged("a PAX record does not end where it says")
    return keyword, value, end


def _natural(records: Records, keyword: bytes, otherwise: int) -> int:
    value = records.get(keyword)
    return otherwise if value is None else natural(value)
