"""The fixtures these tests share."""

from tests.support.service import service, service_on_s3
from tests.support.webserver import web

__all__ = ["service", "service_on_s3", "web"]
