"""One of several processes that race for the same jobs. Prints the ids it won, one a line.

Run as `python -m tests.support.claimer`: it waits for a line on standard input, so that all
begin together.
"""

import sys

import django

django.setup()

from backups_app.models import Job  # noqa: E402


def race() -> None:
    ids = [line.strip() for line in sys.stdin.readline().split()]
    for job_id in ids:
        job = Job.objects.claim(job_id, owner="racer")
        if job:
            print(job.pk, flush=True)


if __name__ == "__main__":
    from django.db import connection

    connection.ensure_connection()
    print("ready", flush=True)
    race()
