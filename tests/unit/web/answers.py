"""Checks what the service answers against its own description."""

from __future__ import annotations

import re

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from jupyterhub_imagebuilder.web import openapi
from tests.unit.web.support import PREFIX

DOCUMENT = openapi.description(PREFIX)
_BASE = "urn:description"
_REGISTRY = Registry().with_resource(_BASE, Resource(DOCUMENT, DRAFT202012))


def validator(schema):
    """Checks against a schema, or against the named one."""
    if isinstance(schema, str):
        schema = {"$ref": f"#/components/schemas/{schema}"}
    text = schema.get("$ref", "")
    absolute = schema | ({"$ref": _BASE + text} if text else {})
    return Draft202012Validator(absolute, registry=_REGISTRY, format_checker=FormatChecker())


def described(method, path):
    """The operation of an address below the prefix; None where there is none."""
    path = "/" + path.partition("?")[0]
    for template, operations in DOCUMENT["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path):
            return operations.get(method.lower())
    return None


def check(method, path, status, document):
    """Fail where an answer is not one that is described."""
    operation = described(method, path)
    if operation is None:
        assert status in {204, 404, 405}, (method, path, status)
        return
    assert str(status) in operation["responses"], (method, path, status, document)
    schema = operation["responses"][str(status)]["content"]["application/json"]["schema"]
    validator(schema).validate(document)
