"""What the client can do to what is kept, to schedules and plans, and to who may what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from tarkeep_client.calls import Calls
from tarkeep_client.shapes import Token


class Managing(Calls):
    def retention(self) -> dict[str, Any]:
        """For each backup whether it stays, and why."""
        return self._get("retention")

    def confirm(self) -> str:
        """The newest backup is right, though retention has halted because of it; its key."""
        return cast(str, self._post("retention/confirm")["backupKey"])

    def prune(self) -> list[str]:
        """Delete what retention does not keep; the keys that went."""
        return cast("list[str]", self._post("prune")["deleted"])

    def tidy(self, *, dry_run: bool = False) -> dict[str, Any]:
        """Clear away what dead runs have left in the bucket."""
        return self._post("tidy", dryRun=dry_run)

    def pin(self, key: str) -> None:
        """Keep it whatever retention says."""
        self._post("pin", backupKey=key, pinned=True)

    def unpin(self, key: str) -> None:
        self._post("pin", backupKey=key, pinned=False)

    def delete(self, key: str) -> None:
        """One backup, for good."""
        self._post("delete", backupKey=key)

    def settings(self) -> dict[str, Any]:
        """What is set, where that comes from, and the schedules."""
        return self._get("settings")

    def pause(self, until: str | None = None) -> dict[str, Any]:
        """Let the schedule rest, until a time (ISO 8601) or until `resume`."""
        return self._post("schedule/pause", until=until)

    def resume(self) -> dict[str, Any]:
        return self._post("schedule/resume")

    def plans(self) -> list[dict[str, Any]]:
        """The environment's first."""
        return cast("list[dict[str, Any]]", self._get("plans")["plans"])

    def plan(self, name: str) -> dict[str, Any]:
        return self._get(f"plans/{name}")

    def make_plan(self, name: str, folder: str, **given: Any) -> dict[str, Any]:
        """`given`: any field of the plan, named as in docs/api.md; the rest has its default."""
        return self._post("plans", name=name, dataDir=folder, **given)

    def change_plan(self, name: str, **given: Any) -> dict[str, Any]:
        """What is given, and nothing else."""
        return self._call("PATCH", f"plans/{name}", json=given)

    def remove_plan(self, name: str) -> dict[str, Any]:
        """Its backups stay in the bucket; the answer is the plan as it was."""
        return self._call("DELETE", f"plans/{name}", tries=1)

    def notify_test(self) -> list[dict[str, Any]]:
        """Send a message to each address: which were taken."""
        return cast("list[dict[str, Any]]", self._post("notify/test")["deliveries"])

    def doctor(self) -> dict[str, Any]:
        """What the last visit found."""
        return self._get("doctor")

    def ask_doctor(self) -> dict[str, Any]:
        """Ask for a visit; `doctor` tells when it is done."""
        return self._post("doctor")

    def me(self) -> dict[str, Any]:
        """Who asks, and what they may."""
        return self._get("me")

    def tokens(self) -> list[Token]:
        return cast("list[Token]", self._get("tokens")["tokens"])

    def make_token(
        self,
        name: str,
        *,
        role: str = "",
        permissions: Sequence[str] = (),
        days: int | None = 90,
    ) -> Token:
        """With `token`, its text. Sent once: with a lost answer, look at `tokens` and revoke it."""
        given: dict[str, Any] = {"name": name, "permissions": list(permissions), "days": days}
        body = {**given, **({"role": role} if role else {})}
        return cast(Token, self._call("POST", "tokens", tries=1, json=body))

    def revoke_token(self, token: Token) -> Token:
        return cast(Token, self._post(f"tokens/{token['id']}/revoke"))

    def audit(self, action: str = "") -> Iterator[dict[str, Any]]:
        """All entries, or those of one action, newest first."""
        before: int | None = None
        while True:
            page = self._get("audit", before=before, action=action, limit=1000)["entries"]
            yield from page
            if len(page) < 1000:
                return
            before = page[-1]["number"]
