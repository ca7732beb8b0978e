"""The fixtures these tests share."""

import pytest
from django.core.cache import cache
from django.test import Client

from tests.support.service import BEARER, service, service_on_s3

__all__ = ["service", "service_on_s3"]


@pytest.fixture
def api():
    """A client that sends the token."""
    return Client(headers=BEARER)


@pytest.fixture(autouse=True)
def nothing_counted():
    """The cache of this process counts refusals and requests: each test begins at none."""
    cache.clear()
