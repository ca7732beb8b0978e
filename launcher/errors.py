"""What stops the launcher: always one sentence that names the part, and the log's last lines."""

from __future__ import annotations


class LaunchError(Exception):
    """`details` holds more lines for the screen (the end of a log), never a secret."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        if details:
            self.add_note(details)
