"""Whatever the contract allows, and what it does not: schemathesis makes requests up.

It finds what nobody thought of: failures of the server, answers the contract does not know, bodies
that are not of their type. How many it makes is bounded, and of an operation's requests that are right
or wrong in the same way, two are sent; SCHEMATHESIS_EXAMPLES asks for more, and for all of these.
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import requests
import schemathesis
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from frames.models import Frame, HandOff
from tests.api.client import CLIENT, Api, key_for
from tests.conftest import make_person, make_workspace
from tests.things import things
from workspaces import api_keys
from workspaces.models import User, Workspace

pytestmark = pytest.mark.django_db
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "2"))
ALL_ALIKE = "SCHEMATHESIS_EXAMPLES" in os.environ
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_headers_conformance, response_schema_conformance,
]  # fmt: skip
HOW = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
NUMBERS = itertools.count()
TRIED: dict[Any, int] = {}
# These answer for what is wrong in them, or keep whatever comes.
LENIENT = ("append_batch", "report_hook_of_claude_code")
# The same that the API tells (tests/api/test_contract.py), at a tenth of the cost for a process that only
# looks through the tests. The requests too are made up where a test runs.
CONTRACT = json.loads((Path(__file__).parents[2] / "docs/openapi.json").read_text())
OPERATIONS = [(path, method) for path, methods in CONTRACT["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def contract() -> BaseSchema:
    """What the document says, as another program would read it; the key is not its to make up."""
    for path, method in OPERATIONS:
        del CONTRACT["paths"][path][method]["security"]
    schema = schemathesis.openapi.from_dict(CONTRACT)
    schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    if not ALL_ALIKE:  # one method that a path does not know stands for all of them
        schema.config.phases.coverage.unexpected_methods = {"PUT"}
    return schema


@pytest.fixture(scope="module")
def acme(stage) -> Workspace:
    return make_workspace("acme")


@pytest.fixture(scope="module")
def alice(acme) -> User:
    return make_person("alice", acme, "owner")


@pytest.fixture(scope="module")
def known(acme, alice) -> dict[str, str]:
    """Names in paths, queries and bodies → things that exist, so that some requests find any."""
    found = things(acme)
    frame = Frame.unscoped.get(pk=found["frame_id"])
    hand_off = HandOff.unscoped.create(workspace=acme, frame=frame, from_user=alice, to_user=alice)
    names = {
        "project": "project_slug", "session": "session_id", "frame": "frame_id",
        "parent": "frame_id", "event": "event_id", "anchor": "anchor_id", "task": "task_id",
        "on": "task_id", "member_id": "membership_id", "key_id": "key_id",
        "invitation_id": "invitation_id", "supersedes": "anchor_id",
    }  # fmt: skip
    return {name: str(found[thing]) for name, thing in names.items()} | {
        "hand_off_id": str(hand_off.pk)
    }


@pytest.fixture(scope="module")
def caller(acme, alice) -> Api:
    made = key_for(acme, alice, "read", "write", "admin")
    api_keys.note_use(made.key)  # else each request would, and its writing is undone
    return made


@pytest.mark.xdist_group("contract")  # one process reads it and prepares what it asks for
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_the_contract_holds(
    path: str, method: str, contract: BaseSchema, known: dict[str, str], caller: Api
) -> None:
    tests = get_all_tests(
        schema=contract.include(path=path, method=method.upper()),
        test_func=_answers_as_agreed,
        settings=HOW,
        given_kwargs={},
    )
    (test,) = tests
    test.ok()[1](known=known, caller=caller)


def _answers_as_agreed(case: Any, known: dict[str, str], caller: Api) -> None:
    """Every other request names things that exist."""
    if not _is_new(case):
        return
    real = next(NUMBERS) % 2 == 0
    if real:
        _fill_in(case, known)
    lenient = case.operation.definition.raw["operationId"] in LENIENT
    strict = not real and not lenient and _headers(case) == (case.headers or {})
    checks = [*CHECKS, negative_data_rejection] if strict else CHECKS
    case.validate_response(_answer(case, caller), checks=checks)


def _is_new(case: Any) -> bool:
    """Whether fewer than two like it were sent: of the same kind, to the same operation."""
    told = case.meta.phase.data if case.meta else None
    kind = getattr(told, "scenario", None)
    if ALL_ALIKE or kind is None:
        return True
    alike = (
        case.operation.method,
        case.operation.path,
        kind,
        getattr(told, "location", None) is None,
    )
    TRIED[alike] = TRIED.get(alike, 0) + 1
    return TRIED[alike] <= 2


def _fill_in(case: Any, known: dict[str, str]) -> None:
    """Let what names a thing name one that is there."""
    for place in (case.path_parameters, case.query, case.body):
        if isinstance(place, dict):
            place.update({name: known[name] for name in known if isinstance(place.get(name), str)})


def _answer(case: Any, caller: Api) -> Response:
    """Send it in-process, as the application's role; nothing it does is kept."""
    path = case.operation.path
    for name, value in (case.path_parameters or {}).items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    query = urlencode(case.query or {}, doseq=True, errors="replace")
    body = b"" if isinstance(case.body, type(schemathesis.core.NOT_SET)) else _encoded(case.body)
    with transaction.atomic():
        answer = CLIENT.generic(
            case.method, f"{path}?{query}", body, "application/json",
            headers={**_headers(case), "Authorization": f"Bearer {caller.text}"},
        )  # fmt: skip
        transaction.set_rollback(True)
    headers = {name: [value] for name, value in answer.headers.items()}
    asked = requests.Request(case.method, f"http://testserver{path}").prepare()
    return Response(answer.status_code, headers, answer.content, asked, 0.0, verify=False)


def _headers(case: Any) -> dict[str, str]:
    """Those that HTTP can carry."""
    return {k: v for k, v in (case.headers or {}).items() if v.isascii() and v.isprintable()}


def _encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()
