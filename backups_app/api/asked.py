"""What every request is held to beyond its body: parameters that there are, and the version.

The version of the API is chosen by `Accept: application/json; version=1`; without one it is 1, so
the addresses stay as they are whatever comes.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import NotAcceptable, ValidationError
from rest_framework.request import Request
from rest_framework.utils.mediatypes import _MediaType

VERSIONS: Final = ("1",)


class UnknownVersion(NotAcceptable):
    hint = f"Versions: {', '.join(VERSIONS)}. Without one it is {VERSIONS[0]}."

    def __init__(self, version: str) -> None:
        super().__init__(f"There is no version {version[:20]!r} of this API.")


def demand_version(request: Request) -> None:
    """Raises `UnknownVersion` for an Accept header that wants another one."""
    wanted: Any = _MediaType(request.accepted_media_type or "").params.get("version", VERSIONS[0])
    if wanted not in VERSIONS:
        raise UnknownVersion(wanted)


def demand_known_query(view: Any, request: Request) -> None:
    """Raises `ValidationError` naming the first parameter that the schema does not know.

    A mistyped one would be passed over in silence, and answer another question than was asked.
    """
    known = parameters_of(view, request) if request.query_params else set()
    for name in request.query_params:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ValidationError({name[:100]: [f"is no parameter of this request{meant}"]})


def parameters_of(view: Any, request: Request) -> set[str]:
    """The names of the query's parameters, as `extend_schema` declares them for the method."""
    handler = getattr(view, "get" if request.method == "HEAD" else str(request.method).lower())
    declared = getattr(handler, "kwargs", {}).get("schema")
    if declared is None:
        return set()
    schema = declared()
    schema.view, schema.method = view, request.method
    return {
        name
        for one in schema.get_override_parameters()
        for name in ([one.name] if isinstance(one, OpenApiParameter) else one().fields)
    }
