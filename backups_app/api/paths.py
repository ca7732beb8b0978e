"""Paths of a backup in JSON, which can hold no other text than Unicode."""

from __future__ import annotations

from backups_app.raw import as_text


def path_json(path: bytes) -> dict[str, str | None]:
    """As text; where that cannot say it, as base64url too."""
    text = path.decode("utf-8", "replace")
    return {"path": text, "path64": None if text.encode() == path else as_text(path)}
