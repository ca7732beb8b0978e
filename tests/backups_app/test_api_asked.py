"""What every request is held to: parameters that there are, the version, our host names. And the
schema tells of it, with examples that are right.
"""

import jsonschema
import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from backups_app.models import Job
from tests.support.service import BEARER

pytestmark = pytest.mark.django_db
STATUS, TRIGGER, JOBS = "/api/backup/status", "/api/backup/trigger", "/api/backup/jobs"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("status?colour=red", "colour: is no parameter of this request"),
        ("jobs?stat=FAILED", "did you mean state?"),
        ("jobs?limit=1&limt=2", "did you mean limit?"),
        ("list?format=json", "format: is no parameter"),
        ("files?backupKey=latest&Path=x", "did you mean path?"),
        ("audit?a%00b=1", "is no parameter"),
    ],
)
def test_a_parameter_that_there_is_not_is_named(api, service, path, told):
    answer = api.get(f"/api/backup/{path}")
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert told in answer.json()["message"]


def test_a_mistyped_wait_starts_nothing(api, service):
    answer = api.post(f"{TRIGGER}?wiat=60")
    assert (answer.status_code, "did you mean wait?" in answer.json()["message"]) == (400, True)
    assert not Job.objects.exists()


def test_strangers_are_not_told_which_parameters_there_are(service):
    assert Client().get(f"{STATUS}?colour=red").status_code == 401


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("", 200),
        ("*/*", 200),
        ("application/json", 200),
        ("application/json; version=1", 200),
        ("text/html, application/json; version=1; q=0.5", 200),
        ("application/json; version=2", 406),
        ("application/json; version=1.0", 406),
        ("text/html", 406),
    ],
)
def test_the_version_is_chosen_by_accept(service, accept, status):
    headers = {**BEARER, "Accept": accept} if accept else BEARER
    for path in (STATUS, JOBS, "/api/backup/list/"):
        answer = Client(headers=headers).get(path)
        assert answer.status_code in {status, 503}, path  # the bucket of these tests is nowhere
        if status == 406:
            assert answer.json()["code"] == "NOT_ACCEPTABLE"
            assert answer.json()["hint"]


def test_a_foreign_host_name_is_answered_in_the_apis_shape(service):
    answer = Client(headers={"Host": "evil.example"}).get(STATUS)
    assert (answer.status_code, answer.json()["code"]) == (400, "HOST_UNKNOWN")
    assert "TARKEEP_ALLOWED_HOSTS" in answer.json()["hint"]
    assert "evil" not in answer.content.decode()
    page = Client(headers={"Host": "evil.example"}).get("/login/")
    assert page.status_code == 400
    assert "json" not in page.headers["Content-Type"]


@pytest.fixture(scope="module")
def described():
    return SchemaGenerator().get_schema(request=None, public=True)


def operations(described):
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def shapes(operation):
    """Each JSON body and answer of the operation."""
    given = [operation.get("requestBody", {}), *operation["responses"].values()]
    found = [one.get("content", {}).get("application/json") for one in given]
    return [shape for shape in found if shape]


def test_each_body_and_answer_has_an_example_that_is_right(described):
    known, seen = {"components": described["components"]}, 0
    for path, _, operation in operations(described):
        for shape in shapes(operation):
            validator = jsonschema.Draft202012Validator({**known, **shape["schema"]})
            validator.validate(shape["example"])
            assert shape["example"] != {}, path
            seen += 1
    assert seen > 150


def test_every_operation_declares_what_any_request_can_be_answered(described):
    for path, method, operation in operations(described):
        always = {"400", "401", "403", "406", "429"}
        body = {"409", "413", "415", "422"} if method == "post" else set()
        named = {"404"} if "{" in path else set()
        assert always | body | named <= set(operation["responses"]), (method, path)


def test_versions_of_schema_and_program_are_the_same(described):
    from worker.engine.version import VERSION

    assert described["info"]["version"] == VERSION
