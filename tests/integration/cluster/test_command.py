"""``jupyterhub-imagebuilder build`` against a real service: a commit that is in no branch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.integration.cluster import repositories
from tests.integration.cluster.polling import until
from tests.integration.cluster.repositories import git
from tests.integration.cluster.services import new_prefix, service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


@pytest.fixture
def running(cluster_env, engine, hub_role, tmp_path, build_pods):
    folder, prefix = tmp_path / "service", new_prefix(cluster_env)
    with service(folder, cluster_env, engine, hub_role("hub"), prefix) as made:
        yield made
        # while the service is there to remove them: other tests count what they find
        until(lambda: not build_pods(), what="the end of all build pods", seconds=90)


def build(running, *words):
    return subprocess.run(
        [sys.executable, "-m", "jupyterhub_imagebuilder", "build", "--url", running.url, *words],
        env={"JUPYTERHUB_API_TOKEN": running.tokens["ann"], "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_the_commit_of_a_request_is_built_and_found_again(running, new_repository):
    repository = new_repository(repositories.tiny)
    head = repository.commit()
    git(repository.folder, "update-ref", "refs/pull/7/head", head)
    git(repository.folder, "reset", "-q", "--hard", "HEAD~")
    asked = f"{repository.url}@refs/pull/7/head"

    done = build(running, "--json", asked)
    assert done.returncode == 0, done.stderr
    (first,) = json.loads(done.stdout)["builds"]
    assert (first["commit"], first["ref"], first["cached"]) == (head, "refs/pull/7/head", False)
    assert "building" in done.stderr

    again = build(running, "--quiet", asked)
    assert (again.returncode, again.stdout) == (0, f"{first['image']}\n"), again.stderr


def test_a_commit_that_is_not_there(running, new_repository):
    repository = new_repository(repositories.tiny)
    done = build(running, "--json", f"{repository.url}@{'0' * 40}")
    (one,) = json.loads(done.stdout)["builds"]
    assert (done.returncode, one["phase"], one["reason"]) == (1, "failed", "ref-not-found")
