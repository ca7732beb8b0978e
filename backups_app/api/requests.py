"""Checked values out of a request."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from backups_app.api.serialisers import Serialiser
from worker.engine.config import DEFAULT_PLAN


def query_of(serialiser: type[Serialiser], request: Request) -> dict[str, Any]:
    """The query's values. Raises `ValidationError`."""
    return _valid(serialiser(data=request.query_params))


def body_of(serialiser: type[Serialiser], request: Request) -> dict[str, Any]:
    """The body's values. Raises `ValidationError`."""
    return _valid(serialiser(data=request.data))


def plan_of(request: Request) -> str:
    """The name of the plan that is asked about: `?plan=`, or `plan` in a JSON body, else the
    default one. Raises `ValidationError`; whether there is such a plan, others look."""
    read = request.data if request.content_type.startswith("application/json") else {}
    body = read if isinstance(read, dict) else {}
    given = [one for one in (request.query_params.get("plan"), body.get("plan")) if one is not None]
    if not all(isinstance(one, str) and 0 < len(one) <= 63 and one.isprintable() for one in given):
        raise ValidationError({"plan": ["is not the name of a plan"]})
    if len(set(given)) > 1:
        raise ValidationError({"plan": ["is one in the address and another in the body"]})
    return str(given[0]) if given else DEFAULT_PLAN


def _valid(checked: Serialiser) -> dict[str, Any]:
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)
