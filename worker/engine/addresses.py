"""Addresses that nothing of ours may connect to, whatever settings or name servers say.

Link-local addresses are where clouds hand out the credentials of their machines: a request that
is led there (a mistyped endpoint, a name that resolves to another address the second time) would
bring them out. They are looked at when settings are read, and again on the line itself.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address

# Metadata services outside link-local ranges: AWS over IPv6, Alibaba.
_METADATA: Final = {ip_address("fd00:ec2::254"), ip_address("100.100.100.200")}
_NAT64: Final = ip_network("64:ff9b::/96")
# Neither global nor private to Python: providers' own networks, and Tailscale's (RFC 6598).
_SHARED: Final = ip_network("100.64.0.0/10")


class Refused(OSError):
    """A connection to where we do not go."""


def address_of(host: str) -> Address | None:
    """The address that `host` is, in any spelling that a resolver takes; None for a name.

    `2852039166`, `0xa9fea9fe` and `169.254.43518` are 169.254.169.254.
    """
    text = host.strip("[]").partition("%")[0]
    try:
        return _inner(ip_address(text))
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(text))
    except (OSError, UnicodeError):
        return None


def is_forbidden(address: Address) -> bool:
    """Link-local, a metadata service, or none that one can connect to."""
    reserved = address.is_multicast or (address.is_unspecified and address.version == 6)
    return address in _METADATA or address.is_link_local or reserved


def is_near(address: Address) -> bool:
    """On this machine, or in a private network."""
    return address.is_private or address.is_loopback or address in _SHARED


def demand_allowed(line: socket.socket) -> None:
    """Raises `Refused` for a line that leads to a forbidden address; nothing was sent yet."""
    if line.family in {socket.AF_INET, socket.AF_INET6}:
        peer = address_of(str(line.getpeername()[0]))
        if peer is not None and is_forbidden(peer):
            raise Refused("the address is link-local or reserved")


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it stands for one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
