"""Scripts and style sheets go compressed to browsers that take it: a third of the bytes.

Only these: pages and answers of the API hold what others must not guess from their lengths.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.middleware.gzip import GZipMiddleware

SHARED = ("/static/", "/texts.js")


class CompressedStatic(GZipMiddleware):
    def process_response(self, request: HttpRequest, response: Any) -> Any:
        if not request.path.startswith(SHARED):
            return response
        return super().process_response(request, response)
