"""What people copy into a hub's configuration runs: from the pages, and from the Helm values."""

from __future__ import annotations

import copy
import re
import textwrap
from pathlib import Path

import pytest
import yaml
from kubespawner import KubeSpawner
from traitlets.config import Config

from jupyterhub_imagebuilder.hub.config_file import option, service_options

ROOT = Path(__file__).parents[3]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("docs/*/*.md")),
]
FENCE = re.compile(r"^( *)```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
CALL = "setup_ui(c)"


def snippets():
    for page in PAGES:
        found = [text for _, text in FENCE.findall(page.read_text("utf-8")) if CALL in text]
        for number, text in enumerate(found):
            yield pytest.param(textwrap.dedent(text), id=f"{page.relative_to(ROOT)}-{number}")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("POD_NAMESPACE", "jhub")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    def execute(code):
        c = Config()
        # as zero-to-jupyterhub has it
        c.JupyterHub.spawner_class = KubeSpawner
        c.ImageBuilder.state_dir = str(tmp_path)
        exec(compile(code, "snippet", "exec"), {"c": c})
        return c

    return execute


def check(c):
    (service,) = copy.deepcopy(option(c, "JupyterHub", "services"))
    assert service["name"] == "imagebuilder"
    assert copy.deepcopy(option(c, "JupyterHub", "load_roles"))
    sections, refused = service_options(c)
    assert refused == []
    return sections


@pytest.mark.parametrize("code", list(snippets()))
def test_a_page_s_snippet_makes_a_hub_that_builds(run, code):
    check(run(code))


def test_the_pages_have_snippets():
    assert {parameter.id for parameter in snippets()} >= {"README.md-0", "README.md-1"}


def test_the_readme_s_third_step_is_all_that_kubernetes_needs(run):
    (code,) = (parameter.values[0] for parameter in snippets() if parameter.id == "README.md-1")
    sections = check(run(code))
    assert sections["ImageBuilder"]["image_prefix"].startswith("registry.example.org/")
    assert sections["KubernetesExecutor"].keys() == {"push_secret", "engine_socket_dir"}


def test_the_overlay_for_zero_to_jupyterhub_runs(run):
    values = yaml.safe_load((ROOT / "helm-values" / "z2jh.yaml").read_text("utf-8"))
    sections = check(run(values["hub"]["extraConfig"]["50-imagebuilder"]))
    assert sections["KubernetesExecutor"] == {
        "namespace": "jhub",
        "engine_socket_dir": "/var/run/jhub-imagebuilder/docker-api",
        "push_secret": "imagebuilder-registry",
    }
