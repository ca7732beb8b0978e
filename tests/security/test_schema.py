"""Row 84: requests made by Schemathesis from the API's own schema break nothing, and every answer
has a status and a shape that the schema promises. A few requests for each operation, half of them
about a backup, a job and a token that there are; a hunt takes more: set SCHEMATHESIS_EXAMPLES.
"""

import os
from datetime import UTC, datetime

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from backups_app.tokens import make_token
from tests.support.service import BEARER, finished_job
from tests.support.webserver import web
from worker.engine.backup import run_backup
from worker.engine.progress import Progress
from worker.engine.storage.s3 import open_storage

__all__ = ["web"]
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "4"))
CHECKS = [
    not_a_server_error, content_type_conformance, response_schema_conformance,
    status_code_conformance,
]  # fmt: skip


@pytest.fixture
def api_schema(web, service_on_s3, settings):
    settings.API_RATE = 0
    return schemathesis.openapi.from_url(f"http://{web}/api/schema/", headers=BEARER)


@pytest.fixture
def there(service_on_s3):
    """What a request may name: two backups, a job and a token that there are."""
    storage = open_storage(service_on_s3.storage)
    older, key = (
        run_backup(service_on_s3.plan, storage, Progress(), now=datetime(2026, 1, day, tzinfo=UTC))
        for day in (1, 2)
    )
    token, _ = make_token(name="x", role="viewer")
    job = str(finished_job(backup_key=key.key).pk)
    named = {"backupKey": key.key, "from": older.key, "to": key.key, "path": "hello.txt", "q": "h"}
    return {**named, "job_id": job, "token_id": token.prefix}


@pytest.mark.django_db(transaction=True)
def test_row_84_every_operation_keeps_to_the_schema(api_schema, there):
    operations = [result.ok() for result in api_schema.get_all_operations()]
    assert len(operations) > 30
    for operation in operations:
        ask(operation, there)


def ask(operation, there):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), real=st.booleans())
    def asking(case, real):
        if "wait" in (case.query or {}):
            case.query["wait"] = 0  # nobody works here: a job would be waited for in vain
        for given_values in (case.query, case.body, case.path_parameters) if real else ():
            if isinstance(given_values, dict):
                known = {name: there[name] for name in given_values if name in there}
                given_values.update(known)
        case.validate_response(case.call(headers=BEARER), checks=CHECKS)

    asking()
