"""What takes root. CI is root and must run it: there a lack of it fails."""

import os

import pytest


def needs_root(reason: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(os.geteuid() != 0 and not os.environ.get("CI"), reason=reason)
