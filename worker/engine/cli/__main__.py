"""`python -m worker.engine.cli`: the same as `tarkeep`, where that is not installed."""

import sys

from worker.engine.cli import main

sys.exit(main())
