"""Django's settings for tests: the real ones, on servers and folders made for this run.

Nothing of the developer's own environment or `.env` gets in: every variable of Tarkeep is set
here, most of them to nothing, before the real settings are read.
"""

from __future__ import annotations

import os

from backup_project.web_settings import WEB_VARIABLES
from tests.support.servers import choose_database, choose_redis, scratch_directory
from worker.engine.settings import VARIABLES

SCRATCH = scratch_directory()
DATABASE_CHOICE = choose_database(SCRATCH)
REDIS_CHOICE = choose_redis(SCRATCH)

os.environ |= {name: "" for variable in (*VARIABLES, *WEB_VARIABLES) for name in variable.names}
os.environ |= {
    "DATABASE_URL": DATABASE_CHOICE.url,
    "REDIS_URL": REDIS_CHOICE.url,
    "TARKEEP_SECRET_KEY": "only-for-tests-" + "x" * 40,
    # A whole configuration, so that only what a test breaks is wrong. No test reaches this bucket.
    "BACKUP_S3_BUCKET": "nowhere",
    "BACKUP_S3_ACCESS_KEY": "nobody",
    "BACKUP_S3_SECRET_KEY": "nothing-at-all",
    "BACKUP_S3_ENDPOINT": "http://127.0.0.1:9",
    "BACKUP_DATA_DIR": str(SCRATCH / "data"),
    "BACKUP_TEMP_DIR": str(SCRATCH / "temp"),
    "LOGS_PATH": str(SCRATCH / "logs"),
}

from backup_project.settings import *  # noqa: E402, F403
from backup_project.settings import DATABASES  # noqa: E402

# A name of its own for each run: two runs on one server do not meet.
_sqlite = DATABASES["default"]["ENGINE"].endswith("sqlite3")
_name = str(SCRATCH / "test.sqlite3") if _sqlite else f"test_tarkeep_{os.getpid()}"
DATABASES["default"]["TEST"] = {"NAME": _name}
TEST_DATABASE_NAME = _name
VAR_DIR = SCRATCH / "var"
VAR_DIR.mkdir(exist_ok=True)

# Slow hashes are right for passwords, and wrong for hundreds of accounts that live for one test.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
