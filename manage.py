#!/usr/bin/env python
"""Django's command line for Tarkeep."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

from worker.engine import lent

if __name__ == "__main__":
    lent.take(Path(__file__).resolve().parent)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_project.settings")
    execute_from_command_line(sys.argv)
