"""What all endpoints have in common: who may, and that it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final

from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, Throttled
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backups_app import audit, plans, refusals
from backups_app.api.asked import demand_known_query, demand_version
from backups_app.api.auth import TokenHolder
from backups_app.api.etags import tagged
from backups_app.api.once import Replay, begin, settle
from backups_app.api.permissions import Declared, demand_recent_login
from backups_app.api.requests import plan_of
from backups_app.models import Once
from worker.engine.settings import Settings

REFUSED: Final = {401, 403, 429}


class View(APIView):
    """`needs` names the permission for each method (see `roles`); without it none is allowed.

    `recent_login`: a session must have been opened in the last minutes for what is not safe.
    `idempotent`: an Idempotency-Key is heeded, the answer kept for a day. `tagged`: has an ETag.
    `by_plan`: it is about one plan, which `?plan=` or `plan` in the body names.
    `audited`: methods written into the audit log, also when refused; refusals of others are too.
    """

    needs: ClassVar[dict[str, str]] = {}
    recent_login: ClassVar[bool] = False
    idempotent: ClassVar[bool] = True
    tagged: ClassVar[bool] = False
    by_plan: ClassVar[bool] = False
    once: Once | None = None
    told: Mapping[str, Any] = MappingProxyType({})
    audited: ClassVar[frozenset[str]] = frozenset({"POST", "PUT", "PATCH", "DELETE"})
    permission_classes: ClassVar[list[type[BasePermission]]] = [Declared]  # type: ignore[misc]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.recent_login and request.method not in SAFE_METHODS:
            demand_recent_login(request)
        if request.path.startswith("/api/"):
            demand_version(request)
            demand_known_query(self, request)
        if request.method == "POST" and self.idempotent:
            self.once = begin(request)

    @property
    def plan(self) -> str:
        """The plan's name. Raises `ValidationError`."""
        return plan_of(self.request)

    @property
    def plan_settings(self) -> Settings:
        """The plan's settings. Raises `ValidationError`, `NoSuchPlan`, `ConfigError`."""
        return plans.settings_of(self.plan)

    def tell(self, **details: Any) -> None:
        """What the audit log is to say of this request; `target` stands for what it is about."""
        self.told = {**self.told, **details}

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, Replay):
            return exc.response
        try:
            return super().handle_exception(self._judged(exc))
        except Exception:
            if self.once:
                settle(self.once, None)
            self._record(self.request, "INTERNAL_ERROR")
            raise

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        if self.once:
            settle(self.once, response)
        if self.tagged and request.method in SAFE_METHODS and response.status_code == 200:
            response = tagged(request, response)
        if self._is_told(request, response):
            outcome = "repeated" if "Idempotency-Replayed" in response else "done"
            if response.status_code >= 400:
                outcome = str(getattr(response, "data", {}).get("code", response.status_code))
            self._record(request, outcome)
        return super().finalize_response(request, response, *args, **kwargs)

    def _judged(self, error: Exception) -> Exception:
        """Whoever goes on without a right login or token is told to wait."""
        if not isinstance(error, AuthenticationFailed | NotAuthenticated):
            return error
        few = refusals.count(audit.address_of(self.request._request))
        return error if few else Throttled(wait=refusals.WINDOW)

    def _is_told(self, request: Request, response: Any) -> bool:
        if response.status_code not in REFUSED:
            return request.method in self.audited
        # Whoever is refused may go on asking: that must not fill the database.
        return refusals.is_news(audit.address_of(request._request), self._action(request))

    def _record(self, request: Request, outcome: str) -> None:
        if request.method in self.audited or outcome != "INTERNAL_ERROR":
            audit.record(
                self._action(request),
                actor=request.user.get_username() or "anonymous",
                how=_how(request),
                address=audit.address_of(request._request),
                outcome=outcome,
                **{"target": self._target(request), **self.told},
            )

    def _action(self, request: Request) -> str:
        match = request.resolver_match
        return (match.url_name if match else "") or type(self).__name__

    def _target(self, request: Request) -> str:
        """The job or backup that it is about, as far as the request names one."""
        if self.kwargs:
            return " ".join(str(value) for value in self.kwargs.values())
        given = request.query_params if request.method in SAFE_METHODS else _body(request)
        named = [given.get(name) for name in ("backupKey", "path", "name")]
        return " ".join(text for text in named if isinstance(text, str))


def _body(request: Request) -> Any:
    """What could be read of it; a body that is no JSON, or no object, names nothing."""
    read = getattr(request, "_full_data", None)
    return read if isinstance(read, dict) else {}


def _how(request: Request) -> str:
    if isinstance(request.user, TokenHolder):
        return "token"
    return "session" if request.user.is_authenticated else "nobody"
