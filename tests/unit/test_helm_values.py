"""The values files agree with the code and with each other; nothing here needs helm."""

from __future__ import annotations

import ast
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

HELM_VALUES = Path(__file__).parents[2] / "helm-values"
CHART = HELM_VALUES / "imagebuilder-node"
#: Where the settings that the files name are defined.
CLASSES = {
    "ImageBuilder": "jupyterhub_imagebuilder.app",
    "ImageBuilderSpawner": "jupyterhub_imagebuilder.hub.spawner",
    "KubernetesExecutor": "jupyterhub_imagebuilder.executors.kubernetes.executor",
}


def z2jh() -> dict[str, Any]:
    return yaml.safe_load((HELM_VALUES / "z2jh.yaml").read_text())


def settings(code: str) -> dict[tuple[str, str], ast.expr]:
    """What a configuration assigns to ``c.<class>.<name>``."""
    found = {}
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Attribute):
            continue
        target = node.targets[0]
        assert isinstance(target.value, ast.Attribute)
        found[target.value.attr, target.attr] = node.value
    return found


def offered() -> str:
    """The overlay's code with the lines that it offers as comments."""
    code = z2jh()["hub"]["extraConfig"]["50-imagebuilder"]
    return code.replace("# c.", "c.").replace("#     {", "    {").replace("# ]", "]")


def test_the_overlay_sets_what_exists():
    assigned = settings(offered())
    assert {name for name, _ in assigned} == set(CLASSES)
    for name, setting in assigned:
        configurable = getattr(import_module(CLASSES[name]), name)
        assert setting in configurable.class_trait_names(config=True), f"{name}.{setting}"


def test_the_overlay_opens_the_port_that_it_sets():
    port = ast.literal_eval(settings(offered())["ImageBuilder", "port"])
    (rule,) = z2jh()["hub"]["networkPolicy"]["ingress"]
    assert [opened["port"] for opened in rule["ports"]] == [port]
    (peer,) = rule["from"]
    assert peer["podSelector"]["matchLabels"]["component"] == "proxy"


def test_servers_pull_with_the_secret_that_builds_push_with():
    secret = ast.literal_eval(settings(offered())["KubernetesExecutor", "push_secret"])
    assert z2jh()["singleuser"]["image"]["pullSecrets"] == [secret]


def test_the_overlay_calls_setup_ui_once():
    calls = [node for node in ast.walk(ast.parse(offered())) if isinstance(node, ast.Call)]
    assert [ast.unparse(call) for call in calls] == ["setup_ui(c)"]


def keys(schema: dict[str, Any], prefix: str = "") -> set[str]:
    """The keys a schema closes over: those of objects that allow no others."""
    found = set()
    for variant in [schema, *schema.get("oneOf", [])]:
        if variant.get("additionalProperties") is False:
            for name, inner in variant["properties"].items():
                found |= {f"{prefix}{name}"} | keys(inner, f"{prefix}{name}.")
    return found


def test_the_schema_knows_each_default_and_no_more():
    schema = keys(json.loads((CHART / "values.schema.json").read_text()))
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for key in schema:
        inner = values
        for part in key.split("."):
            assert part in inner, f"values.yaml lacks {key}"
            inner = inner[part]


@pytest.mark.parametrize("name", ["README.md", "imagebuilder-node/README.md"])
def test_readmes_name_files_that_exist(name):
    text = (HELM_VALUES / name).read_text()
    targets = [part.partition(")")[0] for part in text.split("](")[1:]]
    local = [target for target in targets if "://" not in target]
    assert local
    for target in local:
        assert ((HELM_VALUES / name).parent / target).exists(), target
