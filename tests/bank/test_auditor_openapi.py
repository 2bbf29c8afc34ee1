"""The auditor keeps its own OpenAPI document: whatever it is sent, it answers as documented, and never with a 500."""

from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from racelab_bank.auditor.api import api
from seeds.playing import open_playground

pytestmark = [
    pytest.mark.django_db(transaction=True, databases="__all__"),
    pytest.mark.urls("racelab_bank.auditor.urls"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:schemathesis"),
]


@pytest.fixture(autouse=True)
def playground(transactional_db: None) -> None:
    """Users and codes belong to the playground."""
    open_playground()


schema = schemathesis.openapi.from_dict(api.get_openapi_schema(path_prefix="/api/"))
schema.app = get_wsgi_application()


@schema.parametrize()
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_answer_is_documented(case: "schemathesis.Case[Any]") -> None:
    headers = {"Authorization": "Bearer test-token"}
    checks = [not_a_server_error, status_code_conformance, response_schema_conformance]
    case.call_and_validate(headers=headers, checks=checks)
