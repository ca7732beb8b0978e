"""Sends one message, in a process of its own: `python -m worker.engine.notify.send`.

A process, since it can be killed when the other side keeps it waiting, and since what it may
connect to can be limited for all of it. It reads one JSON object from its input (addresses
hold secrets, and argument lists are public) and exits with 0 when the message was taken;
otherwise the reason is on its output, without address and without what the other side said.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import Any, Final, Literal, TypedDict

LIMIT: Final = 40.0
ANSWER: Final = 10
# No proxies: what lies behind one cannot be judged by its address. No secrets of ours either.
_ENVIRONMENT: Final[tuple[str, ...]] = (
    "PATH",
    "LANG",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)


class Message(TypedDict):
    """`ping`: call `url` and send nothing; otherwise `url` is Apprise's."""

    url: str
    title: str
    body: str
    type: Literal["success", "warning", "failure", "info"]
    ping: bool
    private: bool


def send(message: Message, environ: dict[str, str]) -> str:
    """Why it could not be sent, or "" when it was. Takes at most `LIMIT` seconds."""
    command = [sys.executable, "-m", "worker.engine.notify.send"]
    env = {name: environ[name] for name in _ENVIRONMENT if name in environ}
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    try:
        done = subprocess.run(
            command,
            input=json.dumps(message),
            env=env,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "no answer in time"
    except OSError as error:
        return error.strerror or type(error).__name__
    return "" if done.returncode == 0 else done.stdout.strip()[:100] or "it could not be sent"


def main() -> int:
    message: Message = json.load(sys.stdin)
    reason = _try(message)
    sys.stdout.write(reason)
    return 1 if reason else 0


def _try(message: Message) -> str:
    from worker.engine.notify import guard

    guard.install(private=message["private"])
    try:
        return _ping(message) if message["ping"] else _notify(message)
    except Exception as error:  # noqa: BLE001  any library may be behind it; its words may quote
        return type(error).__name__


def _ping(message: Message) -> str:
    import requests

    answer = requests.get(message["url"], timeout=ANSWER, allow_redirects=False)
    return "" if answer.ok and not answer.is_redirect else f"answered {answer.status_code}"


def _notify(message: Message) -> str:
    from apprise import Apprise

    _follow_no_redirects()
    logging.getLogger("apprise").disabled = True
    sender: Any = Apprise()
    if not sender.add(message["url"]):
        return "Apprise does not know this kind of address"
    taken = sender.notify(title=message["title"], body=message["body"], notify_type=message["type"])
    return "" if taken else "not accepted, or out of reach"


def _follow_no_redirects() -> None:
    """For all of Apprise's plugins: a redirect would carry the message to a place not chosen."""
    import requests

    session: Any = requests.sessions.SessionRedirectMixin
    session.get_redirect_target = lambda _self, _response: None


if __name__ == "__main__":
    sys.exit(main())
