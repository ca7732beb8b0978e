"""The fixtures these tests share."""

import pytest
from django.test import Client

from tests.support.service import BEARER, service, service_on_s3

__all__ = ["service", "service_on_s3"]


@pytest.fixture
def api():
    """A client that sends the token."""
    return Client(headers=BEARER)
