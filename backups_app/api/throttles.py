"""How often one caller may ask: TARKEEP_API_RATE a minute, and a tenth of it for changes.

Counted in this process alone: it protects the server. Wrong tokens: `refusals`.
"""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from backups_app.api.auth import TokenHolder

CHANGES: Final = 10  # of so many requests one may change something
WINDOW: Final = 60  # seconds


class PerCaller(SimpleRateThrottle):
    """One count for reads, one for changes, for each account and token."""

    def __init__(self) -> None:
        """The rate follows from the request, see `allow_request`."""

    def allow_request(self, request: Request, view: Any) -> bool:
        rate: int = settings.API_RATE
        if not rate:
            return True
        self.num_requests, self.duration = max(1, rate // self._share(request)), WINDOW
        self.rate = f"{self.num_requests}/min"
        return bool(super().allow_request(request, view))

    def get_cache_key(self, request: Request, view: Any) -> str:
        return f"rate-{self._share(request)}-{caller_of(request)}"

    def _share(self, request: Request) -> int:
        return 1 if request.method in SAFE_METHODS else CHANGES


def caller_of(request: Request) -> str:
    """The account or token, as a short word."""
    user = request.user
    if isinstance(user, TokenHolder):
        return f"token-{user.token.pk if user.token else 'fixed'}"
    return f"user-{user.pk}"
