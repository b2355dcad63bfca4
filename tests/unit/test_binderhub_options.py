from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from jupyterhub_imagebuilder import binderhub_options
from jupyterhub_imagebuilder.app import ImageBuilder
from jupyterhub_imagebuilder.executors.docker.executor import DockerExecutor
from jupyterhub_imagebuilder.executors.kubernetes.executor import KubernetesExecutor
from jupyterhub_imagebuilder.registry.client import DistributionRegistry
from jupyterhub_imagebuilder.sections import PROVIDER_CLASSES
from jupyterhub_imagebuilder.web.cors import CrossOrigin


def options():
    classes = [ImageBuilder, CrossOrigin, KubernetesExecutor, DockerExecutor, DistributionRegistry]
    for name in PROVIDER_CLASSES:
        module, _, attribute = name.rpartition(".")
        classes.append(getattr(importlib.import_module(module), attribute))
    return {f"{cls.__name__}.{name}" for cls in classes for name in cls.class_traits(config=True)}


def test_what_stands_for_an_option_is_there():
    found = set(filter(binderhub_options.is_ours, binderhub_options.counterparts().values()))
    assert len(found) > 25
    assert found - options() == set()


def test_options_in_sentences_are_there():
    words = " ".join(binderhub_options.counterparts().values()).replace(":", " ").split()
    named = {word.strip(",;.").removeprefix("c.") for word in words if word.startswith("c.")}
    ours = {name for name in named if "." in name and not name.startswith("JupyterHub.")}
    assert len(ours) > 5
    assert ours - options() == set()


#: Options of deployments that only build, as BinderHub's documentation lists them.
IN_USE = {
    "BinderHub": [
        "enable_api_only_mode",
        "auth_enabled",
        "base_url",
        "port",
        "hub_url",
        "hub_url_local",
        "hub_api_token",
        "use_registry",
        "registry_class",
        "image_prefix",
        "build_class",
        "build_cleaner_class",
        "launch_quota_class",
        "concurrent_build_limit",
        "executor_threads",
        "build_cleanup_interval",
        "per_repo_quota",
        "ban_networks",
        "cors_allow_origin",
        "tornado_settings",
        "build_token_secret",
        "build_token_expires_seconds",
        "build_token_check_origin",
        "repo_providers",
        "builder_required",
    ],
    "KubernetesCleaner": ["max_age"],
    "LaunchQuota": ["total_quota"],
    "BuildExecutor": [
        "appendix",
        "push_secret",
        "git_credentials",
        "repo2docker_extra_args",
        "memory_limit",
    ],
    "KubernetesBuildExecutor": [
        "namespace",
        "build_image",
        "docker_host",
        "resources",
        "node_selector",
        "image_pull_secrets",
        "extra_envs",
        "log_tail_lines",
        "sticky_builds",
    ],
    "RateLimiter": ["limit", "period_seconds", "clean_seconds"],
    "DockerRegistry": [
        "url",
        "auth_config_url",
        "token_url",
        "docker_config_path",
        "username",
        "password",
    ],
    "GitHubRepoProvider": [
        "access_token",
        "client_id",
        "client_secret",
        "hostname",
        "api_base_path",
        "banned_specs",
        "high_quota_specs",
    ],
    "GistRepoProvider": ["allow_secret_gist"],
    "GitLabRepoProvider": ["private_token", "access_token", "hostname"],
    "GitRepoProvider": ["allowed_protocols", "git_credentials"],
    "HydroshareProvider": ["allowed_specs"],
    "CKANProvider": ["spec_config"],
}


@pytest.mark.parametrize(
    ("section", "name"), [(section, name) for section, names in IN_USE.items() for name in names]
)
def test_each_option_of_a_deployment_that_builds_is_answered(section, name):
    said = binderhub_options.sentence(section, name)
    assert said.startswith(f"c.{section}.{name} is an option of BinderHub; ")
    assert said.endswith(".")
    assert said.count(". ") == 0


def rows_of_the_page():
    """Options of BinderHub and what stands beside them; a section goes on in its row."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "replace-binderhub.md"
    for line in page.read_text(encoding="utf-8").partition("## Option by option")[2].splitlines():
        if line.startswith("| `"):
            theirs, ours = line.strip("| ").split(" | ", 1)
            section = ""
            for name in re.findall(r"`(\w+(?:\.\w+)?)`", theirs):
                section = name.partition(".")[0] if "." in name else section
                yield f"{section}.{name.rpartition('.')[2]}", ours


def test_the_page_says_the_same():
    known, rows = binderhub_options.counterparts(), list(rows_of_the_page())
    assert len(rows) > 40
    for option, said in rows:
        if option.startswith("RepoProvider."):
            option = option.replace("RepoProvider.", "GitHubRepoProvider.")  # noqa: PLW2901
        ours = known[option]
        if binderhub_options.is_ours(ours):
            name = ours.rpartition(".")[2]
            assert f".{name}`" in said or "of the same names" in said, option
        elif not ours:
            assert said.startswith("nothing"), option


def test_the_rest_is_said_to_have_no_counterpart():
    said = binderhub_options.sentence("BinderHub", "no_such")
    assert said == (
        "c.BinderHub.no_such is an option of BinderHub that has no counterpart here; remove it."
    )
    assert binderhub_options.sentence("ZenodoProvider", "no_such") is None
    assert binderhub_options.sentence("ImageBuilder", "port") is None
