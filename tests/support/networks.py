"""Machines with networks of their own: network namespaces, each on a cable that can be unplugged.

What the host listens on at its loopback address, a machine reaches through a proxy at the host's
end of the cable. Needs root and `ip`; CI has both.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.tcp_proxy import TcpProxy

_NUMBERS = 250


def may_namespace() -> bool:
    """CI must be able to; elsewhere the tests that need it are skipped."""
    may = os.geteuid() == 0 and shutil.which("ip") is not None
    if not may and os.environ.get("CI") == "true":
        raise RuntimeError("CI must be root and have iproute2")
    return may


needs_namespaces = pytest.mark.skipif(not may_namespace(), reason="needs root and iproute2")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _new_namespace() -> int:
    """The number of a namespace just made. Test processes that run at once share these numbers:
    a name is given away once, so each process gets numbers, and addresses, of its own."""
    for number in range(_NUMBERS):
        if (
            subprocess.run(
                ["ip", "netns", "add", _name(number)], stderr=subprocess.DEVNULL
            ).returncode
            == 0
        ):
            return number
    raise RuntimeError("no network is left: `ip netns list` shows which tests did not clear away")


def _name(number: int) -> str:
    return f"tarkeep-{number}"


class Network:
    """A machine's network. `command` goes in front of what is to run there."""

    def __init__(self) -> None:
        number = _new_namespace()
        self.name, self._cable = _name(number), f"tarkeep{number}"
        self._host, machine = f"10.231.{number}.1", f"10.231.{number}.2"
        self.command = ("ip", "netns", "exec", self.name)
        self._proxies: list[TcpProxy] = []
        ip("link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("addr", "add", f"{self._host}/24", "dev", self._cable)
        ip("-n", self.name, "addr", "add", f"{machine}/24", "dev", "eth0")
        ip("-n", self.name, "link", "set", "eth0", "up")
        self.plug()

    def plug(self) -> None:
        ip("link", "set", self._cable, "up")

    def unplug(self) -> None:
        ip("link", "set", self._cable, "down")

    def through(self, url: str) -> str:
        """The same server's address as this machine reaches it."""
        parts = urlsplit(url)
        place, port = unquote(parts.hostname or ""), parts.port or 5432
        in_a_file = place.startswith("/")  # PostgreSQL's socket, which goes by who connects
        upstream = f"{place}/.s.PGSQL.{port}" if in_a_file else (place, port)
        proxy = TcpProxy(upstream, self._host)
        self._proxies.append(proxy)
        who = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        who = who or (f"{getpass.getuser()}@" if in_a_file else "")
        return parts._replace(netloc=f"{who}{self._host}:{proxy.port}").geturl()

    def end(self) -> None:
        for proxy in self._proxies:
            proxy.stop()
        ip("netns", "del", self.name)
