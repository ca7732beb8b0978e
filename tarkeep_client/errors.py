"""What goes wrong.

TarkeepError        a refusal or a failure, as the server tells it
└── JobFailed       the job ended, and not well
"""

from __future__ import annotations

from typing import Any

from tarkeep_client.shapes import Job


class TarkeepError(Exception):
    """`code` is stable, `message` and `hint` are for people. `status` is 0 without an answer.

    `answer` is all that was answered: with JOB_ACTIVE it has the `job` that is in the way.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        hint: str = "",
        *,
        retry_after: float = 1.0,
        answer: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{message}. {hint}" if hint else message)
        self.status, self.code, self.message, self.hint = status, code, message, hint
        self.retry_after, self.answer = retry_after, answer or {}


class JobFailed(TarkeepError):
    def __init__(self, job: Job) -> None:
        error = job["error"] or {
            "code": job["state"],
            "message": f"It is {job['state']}",
            "hint": "",
        }
        super().__init__(200, error["code"], error["message"], error["hint"])
        self.job = job
