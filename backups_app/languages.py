"""Pages are in the reader's language; what programs read stays in one."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

MACHINES: Final = ("/api/", "/metrics", "/healthz", "/readyz")


class PageLanguage(LocaleMiddleware):
    """By the cookie that the language button sets, else by what the browser asks for."""

    def process_request(self, request: HttpRequest) -> None:
        if request.path.startswith(MACHINES):
            translation.deactivate()
            return
        super().process_request(request)

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        if request.path.startswith(MACHINES):
            return response
        return super().process_response(request, response)
