"""What Docker's engine promises of the calls that Tarkeep makes: read from its reference.

Docker Engine API 1.44, https://docs.docker.com/reference/api/engine/version/v1.44/ (ContainerList,
ContainerInspect, ContainerStart, ContainerStop, ContainerPause, ContainerUnpause): methods, query
parameters, filters, status codes, and the fields that are read, with their types. The stand-in
checks each call and each of its own answers against this.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

FILTERS = {"ancestor", "before", "health", "id", "label", "name", "network", "status", "volume"}
STATUSES = {"created", "restarting", "running", "removing", "paused", "exited", "dead"}
HEALTH = {"none", "starting", "healthy", "unhealthy"}
# The engine refuses like this what does not go with a container's state; the reference is silent.
CONFLICT = 409


@dataclass(frozen=True)
class Operation:
    method: str
    parameters: frozenset[str]
    codes: frozenset[int]


def _change(*parameters: str, already: bool) -> Operation:
    codes = {204, 404, 500, CONFLICT} | ({304} if already else set())
    return Operation("POST", frozenset(parameters), frozenset(codes))


OPERATIONS = {
    "json": Operation("GET", frozenset({"size"}), frozenset({200, 404, 500})),
    "start": _change("detachKeys", already=True),
    "stop": _change("signal", "t", already=True),
    "pause": _change(already=False),
    "unpause": _change(already=False),
}
LISTING = Operation(
    "GET", frozenset({"all", "limit", "size", "filters"}), frozenset({200, 400, 500})
)


def check_call(method: str, path: str) -> None:
    """`AssertionError` where the reference has no such call."""
    operation, query = _operation(path), parse_qs(urlsplit(path).query)
    assert method == operation.method
    assert set(query) <= operation.parameters
    if operation is LISTING:
        _check_filters(json.loads(query["filters"][0]))


def check_answer(path: str, status: int, body: Any) -> None:
    """`AssertionError` where it does not promise such an answer."""
    operation = _operation(path)
    assert status in operation.codes
    if status >= 400:
        assert isinstance(body["message"], str)
    elif operation is LISTING:
        for one in body:
            _check_listed(one)
    elif status == 200:
        _check_state(body["State"])


def _operation(path: str) -> Operation:
    _, _, kind, *rest = urlsplit(path).path.split("/")
    assert kind == "containers"
    return LISTING if rest == ["json"] else OPERATIONS[rest[1]]


def _check_filters(filters: dict[str, list[str]]) -> None:
    assert set(filters) <= FILTERS
    assert all(isinstance(value, str) for values in filters.values() for value in values)
    assert set(filters.get("status", [])) <= STATUSES


def _check_listed(one: dict[str, Any]) -> None:
    assert isinstance(one["Id"], str)
    assert isinstance(one["Created"], int)
    assert all(isinstance(name, str) and name.startswith("/") for name in one["Names"])
    assert all(isinstance(value, str) for value in one["Labels"].values())


def _check_state(state: dict[str, Any]) -> None:
    assert state["Status"] in STATUSES
    assert isinstance(state["Running"], bool)
    assert isinstance(state["Paused"], bool)
    assert state.get("Health", {"Status": "none"})["Status"] in HEALTH
