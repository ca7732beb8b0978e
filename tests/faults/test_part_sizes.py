"""Row 47: how many parts there may be, and of which sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.faults.bucket import COMPLETE, PART, SEAWEEDFS, backup, refusal, whole
from tests.support.fault_proxy import Answer, Fault, FaultProxy, Request
from worker.engine.capture import parts
from worker.engine.capture.parts import PartWriter
from worker.engine.config import PlanConfig, ReuseConfig, StorageConfig
from worker.engine.errors import StorageError
from worker.engine.storage import MOST_PARTS, Abilities
from worker.engine.storage.s3 import open_storage


def test_row_47_all_parts_but_the_last_have_one_size(
    plan: PlanConfig, proxy: FaultProxy, config: StorageConfig, tmp_path: Path
) -> None:
    sizes: dict[int, int] = {}

    def note(request: Request) -> Request:
        if ".index?" not in request.path:
            sizes[int(parse_qs(urlsplit(request.path).query)["partNumber"][0])] = len(request.body)
        return request

    proxy.faults = [Fault("PUT", PART, times=99, request=note)]
    made = backup(plan, open_storage(config))
    whole(plan, config, made.key, tmp_path / "back")
    in_order = [size for _, size in sorted(sizes.items())]
    assert set(in_order[:-1]) == {8 * 1024 * 1024}


class EqualParts:
    """Some servers (R2, Garage) want all parts but the last to have one size, copied ones too, and
    say so when the upload is to be completed."""

    def __init__(self) -> None:
        self.sizes: dict[str, dict[int, int]] = {}
        self.refused = 0

    def faults(self) -> list[Fault]:
        return [
            Fault("PUT", PART, times=999, request=self.note),
            Fault("POST", COMPLETE, times=999, request=self.judge),
        ]

    def note(self, request: Request) -> Request:
        asked = parse_qs(urlsplit(request.path).query)
        copied = {name.lower(): text for name, text in request.headers}
        first, _, last = (
            copied.get("x-amz-copy-source-range", "").removeprefix("bytes=").partition("-")
        )
        size = int(last) - int(first) + 1 if last else len(request.body)
        self.sizes.setdefault(asked["uploadId"][0], {})[int(asked["partNumber"][0])] = size
        return request

    def judge(self, request: Request) -> Request | Answer:
        parts = self.sizes[parse_qs(urlsplit(request.path).query)["uploadId"][0]]
        if len({parts[number] for number in sorted(parts)[:-1]}) < 2:
            return request
        self.refused += 1
        return refusal(400, "InvalidPart")


@SEAWEEDFS
def test_row_47_where_parts_must_be_equal_nothing_is_sent_in_vain(
    plan: PlanConfig, proxy: FaultProxy, config: StorageConfig, tmp_path: Path
) -> None:
    plan = replace(plan, reuse=ReuseConfig(settled=-(10**18)))
    server = EqualParts()
    proxy.faults = server.faults()
    storage = open_storage(config)
    first = backup(plan, storage)
    (plan.data_dir / "more.json").write_text("[]")
    second = backup(plan, storage, days=1)
    assert server.refused == 1  # the trial's upload, and not one of a backup
    assert (second.metadata.full_reason, second.bytes_copied) == ("COPY_REFUSED", 0)
    whole(plan, config, second.key, tmp_path / "back")
    asked = len(proxy.seen)
    assert backup(plan, open_storage(config), days=2).bytes_copied == 0
    assert not [line for line in proxy.seen[asked:] if "tarkeep-probe" in line]  # it is known
    assert server.refused == 1
    assert first.key not in {found.key for found in storage.list("")}
    assert not [found.key for found in storage.list("") if "probe" in found.key]


@dataclass
class Taken:
    """As many parts as are allowed, without a server that would store them."""

    most: int
    upload_id: str = "none"

    def send_part(self, number: int, data: bytes | bytearray | memoryview) -> None:
        assert number <= self.most


def test_row_47_a_provider_that_takes_a_tenth_of_the_parts_gets_no_more(
    storage_config: StorageConfig,
) -> None:
    elsewhere = replace(storage_config, endpoint="https://s3.fr-par.scw.cloud")
    limits = open_storage(elsewhere).max_parts
    assert limits == 1000
    total, planned = 20 * 1024**3, parts.NEW_PARTS * limits // MOST_PARTS
    assert total / parts.part_size(total, parts=planned) <= planned
    with PartWriter(Taken(limits), 1, max_parts=limits) as writer:  # type: ignore[arg-type]
        writer.write(b"x" * limits)
        with pytest.raises(StorageError, match="1,000 parts"):
            writer.write(b"x")


def test_row_47_more_than_ten_thousand_parts_are_refused_with_a_hint(
    storage_config: StorageConfig,
) -> None:
    with PartWriter(Taken(10_000), 1) as writer:  # type: ignore[arg-type]
        writer.write(b"x" * 10_000)
        with pytest.raises(StorageError) as caught:
            writer.write(b"x")
    assert "parts will be larger" in caught.value.hint


@SEAWEEDFS
def test_keys_that_may_not_delete_make_no_temporary_objects(
    plan: PlanConfig, proxy: FaultProxy, config: StorageConfig
) -> None:
    proxy.faults = [Fault("DELETE", "", times=99, request=lambda _: refusal(403, "AccessDenied"))]
    found = open_storage(config).abilities(plan)
    assert found == Abilities(copies=True, keeps_deleted=True)
