"""Points in time as people write them."""

from __future__ import annotations

from datetime import datetime

from worker.engine.schedule import zone


def parse_time(text: str, timezone: str) -> datetime:
    """An aware time out of ISO 8601; without an offset it is meant in `timezone`. `ValueError`."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=zone(timezone))
