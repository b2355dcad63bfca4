from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator, ValidationError
from tornado.web import RequestHandler

from jupyterhub_imagebuilder import errors, wire
from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.web import openapi
from jupyterhub_imagebuilder.web.base import Handler
from jupyterhub_imagebuilder.web.documents import event_document
from jupyterhub_imagebuilder.web.routes import ROUTES
from jupyterhub_imagebuilder.web.schemas import SCHEMAS
from tests.unit.web import answers
from tests.unit.web.answers import DOCUMENT, validator
from tests.unit.web.support import ALICE, DIGEST

METHODS = {"get", "head", "post", "put", "patch", "delete"}


def operations():
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def error_classes():
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return [v for v in found if issubclass(v, errors.ImageBuilderError)]


async def test_it_is_served_without_a_token(web):
    status, document = await web.json("GET", "api/openapi.json", token=None)
    assert (status, document) == (200, DOCUMENT)
    assert document["servers"] == [{"url": "/services/imagebuilder"}]


def test_each_route_and_method_is_in_it_and_nothing_else():
    served = {
        (openapi.path_of(pattern), method)
        for pattern, handler in ROUTES
        for method in METHODS
        if getattr(handler, method) is not getattr(RequestHandler, method)
    }
    assert {(path, method) for path, method, _ in operations()} == served
    assert len(DOCUMENT["paths"]) == len(ROUTES)


async def test_each_path_leads_to_its_handler(web):
    for path, methods in DOCUMENT["paths"].items():
        address = path.removeprefix("/").replace("{id}", "b1")
        address = address.replace("{provider}/{spec}", "git/x/HEAD")
        for method in methods:
            async with web.request(method.upper(), address, token=None) as response:
                secured = bool(methods[method]["security"])
                # the build API answers 200 with an event, whatever happens
                assert (response.status == 401) == (secured and "{provider}" not in path), address
                assert response.status not in {404, 405}, (method, address)


def test_a_method_without_a_description_is_noticed():
    class Silent(Handler):
        async def get(self):
            pass

    with pytest.raises(LookupError, match="Silent get"):
        list(openapi.operations(Silent))


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_schemas_and_used(name):
    Draft202012Validator.check_schema(SCHEMAS[name])
    elsewhere = str({key: value for key, value in DOCUMENT.items() if key != "components"})
    others = str({key: value for key, value in SCHEMAS.items() if key != name})
    named = f"#/components/schemas/{name}'"
    assert named in elsewhere or named in others


def test_each_reason_has_its_status_somewhere():
    told = {
        (int(status), reason)
        for _, _, operation in operations()
        for status, answer in operation["responses"].items()
        if ": " in answer["description"]
        for reason in answer["description"].partition(": ")[2].split(", ")
    }
    # these are told by a build's events, and by the hub
    inside = {errors.BuildFailed, errors.ExecutorUnavailable}
    expected = {(e.status, e.reason.value) for e in error_classes() if e not in inside}
    assert expected <= told
    assert set(SCHEMAS["Error"]["properties"]["reason"]["anyOf"][0]["enum"]) == set(errors.Reason)


def test_ids_of_operations_are_unique_and_every_operation_says_what_it_does():
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(ids)) == len(ids)
    assert all(operation["summary"] for _, _, operation in operations())


@pytest.mark.parametrize(
    "event",
    [
        LogLine("uid", 0, "text", Phase.BUILDING),
        LogLine("uid", 0, ""),
        Gap("3 lines are lost"),
        PhaseChanged(Phase.WAITING, "Waiting"),
        PhaseChanged(Phase.BUILT, "Built", image="x@sha256:1", digest=DIGEST),
        PhaseChanged(Phase.FAILED, "Failed", reason=errors.Reason.TIMEOUT),
    ],
)
def test_events_are_as_described(event):
    validator("Event").validate(event_document(event))


@pytest.mark.parametrize(
    "event",
    [LogLine("uid", 0, "text"), Gap("lost"), PhaseChanged(Phase.BUILT, "Built", image="x")],
)
def test_events_of_binderhub_are_as_described(event):
    validator("BinderHubEvent").validate(wire.to_binderhub(event))


def test_the_check_of_answers_finds_what_is_wrong():
    answers.check("GET", "api/limits", 401, {"reason": None, "message": "No."})
    for status, document in ((401, {"message": "No."}), (418, {}), (200, {"running": 1})):
        with pytest.raises((AssertionError, ValidationError)):
            answers.check("GET", "api/limits", status, document)


async def test_an_answer_of_each_kind_is_as_described(web):
    # the fixture checks every answer that is read as JSON
    await web.post("api/builds", {"repository": "https://git.example.org/org/repo"})
    for path in ("api/builds", "api/builds/b1", "api/providers", "api/limits", "health"):
        status, _ = await web.json("GET", path, token=ALICE)
        assert status == 200
