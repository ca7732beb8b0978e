"""JSON bodies, of a size and a depth that a request of ours can have."""

from __future__ import annotations

import io
from typing import Any, Final

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

MOST: Final = 5 << 20  # bytes: a thousand paths of 4 KiB fit


class TooLarge(APIException):
    status_code = 413
    default_code = "body_too_large"
    default_detail = f"The body is larger than {MOST >> 20} MiB."
    hint = "Name fewer paths."


class BoundedJSON(JSONParser):
    def parse(
        self, stream: Any, media_type: Any = None, parser_context: Any = None
    ) -> dict[str, Any]:
        """Raises `TooLarge`, and `ParseError` for what is no JSON or nested too deeply."""
        data = stream.read(MOST + 1)
        if len(data) > MOST:
            raise TooLarge
        try:
            return dict_of(super().parse(io.BytesIO(data), media_type, parser_context))
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None


def dict_of(value: Any) -> dict[str, Any]:
    """Every body of ours is an object."""
    if not isinstance(value, dict):
        raise ParseError("The body must be a JSON object.")
    return value
