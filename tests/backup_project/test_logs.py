"""What goes into the log."""

import subprocess
import sys

_LIKE_UVICORN = """
import logging, logging.config, sys
from pathlib import Path
from django.conf import settings
from uvicorn.config import Config

Config("none:none", access_log=False)  # sets its loggers up, as `uvicorn --no-access-log` does
from backup_project.logs import logging_config
settings.configure()
logging.config.dictConfig(logging_config(Path(sys.argv[1])))
logging.getLogger("uvicorn.access").info("a request")
logging.getLogger("uvicorn.error").info("it begins")
"""


def test_requests_are_not_logged_and_the_rest_is(tmp_path):
    file = tmp_path / "app.log"
    done = subprocess.run(
        [sys.executable, "-c", _LIKE_UVICORN, str(file)], capture_output=True, text=True, check=True
    )
    for told in (done.stdout, file.read_text()):
        assert "it begins" in told
        assert "a request" not in told
