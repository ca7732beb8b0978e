"""Who listens at ws/backup/, and whether they still may: asked again every half minute."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from time import monotonic
from types import SimpleNamespace
from typing import Any, Final, cast

from django.conf import settings
from django.contrib.auth import get_user

from backups_app import audit, refusals
from backups_app.api.auth import bearer, holder_of
from backups_app.roles import VIEW

ACTION: Final = "ws"
REMEMBERED: Final = 10.0  # seconds
MOST: Final = 10_000


@dataclass(frozen=True)
class Listener:
    """What a handshake brought: the key of a session, and tokens; and where it came from."""

    session_key: str | None
    tokens: tuple[str, ...]
    address: str

    def may_look(self) -> bool:
        """By what the database says now."""
        may = any(known.has_perm(VIEW) for known in self.known())
        _could_look.pop(self, None)
        if len(_could_look) >= MOST:
            _could_look.clear()
        if may:
            _could_look[self] = monotonic()
        return may

    def could_look(self) -> bool:
        """Whether it might some seconds ago: many sockets may be of one session or token."""
        return monotonic() - _could_look.get(self, -REMEMBERED) < REMEMBERED

    def known(self) -> list[Any]:
        """Whom it stands for. Nobody, for ended sessions and tokens that are wrong or revoked."""
        user: Any = self._user()
        if user is not None and user.is_authenticated:
            return [user]
        holders = (holder_of(token, self.address) for token in self.tokens)
        return [holder for holder in holders if holder]

    def refuse(self) -> bool:
        """Write down that it was refused, and count it. False: too often from that address."""
        known = self.known()
        few = bool(known) or refusals.count(self.address)
        if refusals.is_news(self.address, ACTION):
            audit.record(
                ACTION,
                actor=known[0].get_username() if known else "anonymous",
                how="websocket",
                address=self.address,
                outcome=self._outcome(few, known),
            )
        return few

    def _outcome(self, few: bool, known: list[Any]) -> str:
        if known:
            return "NOT_ALLOWED"
        wrong = "AUTHENTICATION_FAILED" if self.tokens else "NOT_AUTHENTICATED"
        return wrong if few else "THROTTLED"

    def _user(self) -> Any:
        if not self.session_key:
            return None
        store = import_module(settings.SESSION_ENGINE).SessionStore
        # Checks that the session has not ended, and that the password is the same still.
        return get_user(cast(Any, SimpleNamespace(session=store(self.session_key), META={})))


_could_look: dict[Listener, float] = {}


def of_scope(scope: Any) -> Listener:
    """From the session's cookie, the Authorization header, or a subprotocol `bearer.<token>`."""
    headers = dict(scope["headers"])
    offered = [p[7:] for p in scope["subprotocols"] if p.startswith("bearer.")]
    token = bearer(headers.get(b"authorization", b"").decode("latin-1"))
    if token is not None:
        offered.append(token)
    session, (address, _) = scope.get("session"), scope.get("client") or ("", 0)
    return Listener(session.session_key if session else None, tuple(offered[:2]), address)
