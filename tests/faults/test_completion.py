"""Rows 35 to 38: the end of an upload, its loss, and bytes that turn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.bucket import (
    COMPLETE,
    ONCE,
    PART,
    QUICK,
    Place,
    backup,
    nothing_half,
    refusal,
    whole,
)
from tests.support.fault_proxy import Fault, Request
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import ArchiveError, StorageError
from worker.engine.progress import Progress
from worker.engine.storage import UploadGone
from worker.engine.storage.s3 import open_storage
from worker.engine.verify import run_verify


@pytest.mark.invariant("I2", "I3")
def test_row_35_the_answer_to_complete_is_lost(
    small: PlanConfig, place: Place, tmp_path: Path
) -> None:
    place.proxy.faults = [Fault("POST", COMPLETE, times=2, cut=-1)]
    made = backup(small, open_storage(place.config, patience=QUICK))
    assert place.proxy.faults[0].times == 0
    whole(small, place.config, made.key, tmp_path / "back")
    nothing_half(small, place.config, listed=1)


@pytest.mark.invariant("I3", "I7")
def test_row_36_complete_says_200_and_means_no(
    small: PlanConfig, place: Place, tmp_path: Path
) -> None:
    sick = refusal(200, "InternalError")
    place.proxy.faults = [Fault("POST", COMPLETE, times=1, instead=sick)]
    made = backup(small, open_storage(place.config, patience=QUICK))
    whole(small, place.config, made.key, tmp_path / "back")
    place.proxy.faults = [Fault("POST", COMPLETE, times=99, instead=sick)]
    with pytest.raises(StorageError, match="InternalError"):
        backup(small, open_storage(place.config, patience=ONCE), days=1)
    nothing_half(small, place.config, listed=1)


def test_row_37_the_upload_vanishes(plan: PlanConfig, place: Place, tmp_path: Path) -> None:
    config = place.config

    def abort(request: Request) -> Request:
        storage = open_storage(replace(config, endpoint=place.proxy.upstream))
        for upload in list(storage.uploads("")):
            storage.abort_upload(upload.key, upload.upload_id)
        return request

    place.proxy.faults = [Fault("PUT", "partNumber=2", request=abort)]
    # rclone's server may hang up instead, as one does that is away.
    expected = UploadGone if place.server == "seaweedfs" else StorageError
    with pytest.raises(expected) as caught:
        backup(plan, open_storage(config, patience=ONCE))
    if isinstance(caught.value, UploadGone):
        assert "UploadPart" in caught.value.message
        assert "NoSuchUpload" in caught.value.message
        assert ".tar.gz" in caught.value.message
    nothing_half(plan, config, listed=0)
    made = backup(plan, open_storage(config), days=1)
    whole(plan, config, made.key, tmp_path / "back")


def test_row_38_a_part_damaged_on_the_way_is_sent_again(
    small: PlanConfig, place: Place, tmp_path: Path
) -> None:
    def flip(request: Request) -> Request:
        return replace(request, body=request.body[:-1] + bytes([request.body[-1] ^ 1]))

    storage = open_storage(place.config, patience=QUICK)
    place.proxy.faults = [Fault("PUT", PART, times=1, request=flip)]
    try:
        made = backup(small, storage)
    except UploadGone:
        # rclone's server forgets an upload with the part that it refuses: a matter for the next
        # attempt, which comes by itself.
        nothing_half(small, place.config, listed=0)
        made = backup(small, storage, days=1)
    assert place.proxy.faults[0].times == 0
    whole(small, place.config, made.key, tmp_path / "back")


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.5, 0.999])
def test_row_38_a_byte_that_turned_in_the_bucket_is_found(
    plan: PlanConfig, storage_config: StorageConfig, encrypted: bool, place: float
) -> None:
    sealed = replace(plan, encryption_key="k" * 32 if encrypted else None)
    storage = open_storage(storage_config)
    key = backup(sealed, storage).key
    content = bytearray(b"".join(storage.get(key)))
    content[int(len(content) * place)] ^= 1
    with storage.start_upload(key) as upload:
        upload.send_part(1, content)
        upload.complete()
    with pytest.raises(ArchiveError):
        run_verify(sealed, storage, Progress(), key=key)
