"""How requests are sent: again when an answer was lost, or when it came too early."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any, Final, cast

import httpx

from tarkeep_client.errors import TarkeepError

TRIES: Final = 3  # of a request whose answer was lost
AGAIN: Final = {"IDEMPOTENCY_KEY_IN_USE", "THROTTLED"}
VERSION: Final = "application/json; version=1"


class Calls:
    """Raises `TarkeepError` for every refusal, and when the server does not answer.

    `plan`: the plan that is meant where one is (without it that of the environment). `timeout`:
    seconds for one request; `patience`: seconds for all tries of one together.
    """

    def __init__(
        self, address: str, *, token: str, plan: str = "", timeout: float = 60, patience: float = 60
    ) -> None:
        self._patience = patience
        self._http = httpx.Client(
            base_url=f"{address.rstrip('/')}/api/backup/",
            headers={"Authorization": f"Bearer {token}", "Accept": VERSION},
            params={"plan": plan} if plan else {},
            timeout=timeout,
        )

    def close(self) -> None:
        self._http.close()

    def _get(self, path: str, /, **query: Any) -> dict[str, Any]:
        given = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", path, params=given)

    def _post(self, path: str, /, **body: Any) -> dict[str, Any]:
        # The same key for each try: a lost answer does nothing twice.
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return self._call("POST", path, json=body, headers=headers)

    def _call(self, method: str, path: str, *, tries: int = TRIES, **parts: Any) -> dict[str, Any]:
        until = time.monotonic() + self._patience
        while True:
            tries -= 1
            try:
                return self._once(method, path, parts)
            except TarkeepError as error:
                lost = not error.status and tries > 0
                pause = error.retry_after if error.code in AGAIN else 1.0
                if not (lost or error.code in AGAIN) or time.monotonic() + pause > until:
                    raise
            time.sleep(pause)

    def _once(self, method: str, path: str, parts: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, **parts)
        except httpx.HTTPError as error:
            raise unanswered(error) from error
        if answer.is_error:
            raise refused(answer)
        return cast("dict[str, Any]", answer.json())

    def _fetch(self, path: str, to: Path, /, **query: Any) -> None:
        """`to` appears when it is there whole."""
        part = to.with_name(f"{to.name}.part")
        headers = {"Accept": "*/*"}
        try:
            with (
                self._http.stream("GET", path, params=query, headers=headers) as answer,
                part.open("wb") as out,
            ):
                if answer.is_error:
                    answer.read()
                    raise refused(answer)
                for chunk in answer.iter_bytes():
                    out.write(chunk)
            part.replace(to)
        except httpx.HTTPError as error:
            raise unanswered(error) from error
        finally:
            part.unlink(missing_ok=True)


def refused(answer: httpx.Response) -> TarkeepError:
    status, wait = answer.status_code, float(answer.headers.get("Retry-After", "1"))
    try:
        told = answer.json()
        return TarkeepError(
            status, told["code"], told["message"], told["hint"], retry_after=wait, answer=told
        )
    except (ValueError, KeyError, TypeError):
        return TarkeepError(status, "UNEXPLAINED", f"It answered {status}")


def unanswered(error: httpx.HTTPError) -> TarkeepError:
    return TarkeepError(0, "UNANSWERED", f"Tarkeep does not answer ({type(error).__name__})")
