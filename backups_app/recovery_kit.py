"""The recovery kit: a page to print for the day when this machine is gone; it holds no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.contrib.auth.decorators import login_required, permission_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from backups_app import bucket, plans, roles
from backups_app.status import own_version
from worker.engine.config import DEFAULT_PLAN
from worker.engine.errors import EngineError
from worker.engine.settings import Settings, require

SCRIPT: Final = Path(__file__).resolve().parent.parent / "scripts" / "tarkeep_decrypt.py"


@require_safe
@login_required
@permission_required(roles.VIEW, raise_exception=True)
def page(request: HttpRequest) -> HttpResponseBase:
    """Where backups lie, which key opens them, and the steps by hand; of the plan `?plan=`."""
    try:
        ours = plans.settings_of(request.GET.get("plan", DEFAULT_PLAN))
    except plans.NoSuchPlan as error:
        raise Http404 from error
    context = {
        "bucket": ours.storage.bucket,
        "endpoint": ours.storage.endpoint,
        "region": ours.storage.region,
        "prefix": ours.plan.prefix,
        "name": ours.plan.name,
        "data_dir": ours.plan.data_dir,
        "encrypted": ours.plan.encryption_key is not None,
        "now": timezone.now(),
        "version": own_version(),
        **_newest(ours),
    }
    return render(request, "backups_app/recovery_kit.html", context)


@require_safe
@login_required
@permission_required(roles.VIEW, raise_exception=True)
def script(_: HttpRequest) -> HttpResponseBase:
    """The one file that opens an encrypted backup without Tarkeep."""
    try:
        opened = SCRIPT.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    return FileResponse(opened, as_attachment=True, content_type="text/x-python")


def _newest(ours: Settings) -> dict[str, Any]:
    """The newest backup and the ids of the keys in use; none when the bucket cannot be read."""
    try:
        require(ours)
        found = bucket.backups(ours)
    except EngineError as error:
        return {"trouble": error.message}
    known = [one.metadata.key_id for one in found if one.metadata and one.metadata.key_id]
    keys = list(dict.fromkeys(known))
    return {"newest": found[0].key if found else "", "key_ids": keys}
