"""What goes wrong reaches the user as a sentence and a reason; the hub stays as it was."""

from __future__ import annotations

import json
import secrets

import pytest

from tests.integration.cluster import repositories
from tests.integration.cluster.bad_hosts import Forwarder, private_git_host
from tests.integration.cluster.polling import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def hub(hub_factory):
    return hub_factory(sections={"GitProvider": {"allowed_protocols": ["https", "git", "http"]}})


@pytest.fixture
def credentials(cluster_env, tmp_path):
    """Writes a docker ``config.json`` with one login, the right one by default; its path."""

    def write(host=cluster_env.registry, password=cluster_env.password):
        login = {"username": cluster_env.username, "password": password}
        path = tmp_path / f"{secrets.token_hex(4)}.json"
        path.write_text(json.dumps({"auths": {host: login}}))
        return str(path)

    return write


@pytest.fixture
def flaky_registry(cluster_env, unverified_registry):
    """The registry under another address, which can go away."""
    forwarder = Forwarder(unverified_registry, cluster_env.registry)
    yield forwarder
    forwarder.stop()


@pytest.fixture(autouse=True)
def _nothing_stays_behind(build_pods):
    yield
    assert build_pods() == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://", "spec-invalid"),
        ("git://10.85.0.1/a b", "spec-invalid"),
        ("build:nowhere/org/repo/HEAD", "spec-invalid"),
        ("just some words", "spec-invalid"),
        ("https://no-such-host.invalid/org/repo", "provider-unavailable"),
    ],
)
def test_text_that_names_no_repository(hub, text, reason, settled):
    user = f"u{secrets.token_hex(3)}"
    sentence = hub.refusal(user, text)
    assert reason in sentence
    assert len(sentence) > len(reason) + 20
    settled(hub, user)


def test_an_option_that_is_no_text(hub, settled):
    answer = hub.start("nina", **{"image--unlisted-choice": ["git://10.85.0.1/hello"]})
    assert answer.status == 400
    settled(hub, "nina")


@pytest.mark.parametrize("ref", ["no-such-branch", "0" * 40, "deadbee"])
def test_a_ref_that_does_not_exist(hub, new_repository, ref, settled):
    repository = new_repository(repositories.tiny)
    sentence = hub.refusal("olga", f"{repository.url}@{ref}")
    assert "ref-not-found" in sentence
    assert ref in sentence
    settled(hub, "olga")


def test_a_repository_that_does_not_exist(hub, cluster_env, settled):
    sentence = hub.refusal("pia", f"{cluster_env.git}/no-such-repository")
    assert "ref-not-found" in sentence
    settled(hub, "pia")


def test_a_private_repository(hub, cluster_env, settled):
    with private_git_host(cluster_env.node_address) as host:
        sentence = hub.refusal("quin", f"{host}/org/private")
    assert "ref-not-found" in sentence
    assert "private" in sentence
    settled(hub, "quin")


def test_a_build_that_breaks_shows_the_end_of_its_log(hub, new_repository, settled):
    repository = new_repository(repositories.broken)
    hub.build("ruth", repository.url)
    told = hub.progress("ruth")
    assert told[-1]["failed"] is True
    assert "build-failed" in told[-1]["message"]
    everything = "\n".join(event.get("message", "") for event in told)
    assert "this-package-does-not-exist-0001" in everything
    assert "No matching distribution found" in everything
    settled(hub, "ruth")


def test_a_failure_that_is_watched_stops_no_later_start(hub_factory, new_repository, settled):
    # the first start of a hub is the one in which KubeSpawner begins to watch
    hub = hub_factory()
    repository = new_repository(repositories.broken)
    hub.build("rolf", repository.url)
    assert "build-failed" in hub.progress("rolf")[-1]["message"]
    hub.start("rosi")
    hub.ready("rosi", seconds=40)
    settled(hub, "rolf")


def test_an_image_without_a_server(hub, new_repository, settled):
    repository = new_repository(repositories.without_jupyter)
    sentence = hub.refusal("saul", repository.url)
    assert "image-unusable" in sentence
    assert "jupyterhub-singleuser" in sentence
    settled(hub, "saul")


def test_an_image_under_our_prefix_that_nobody_built(hub, settled):
    for name in ("hello:latest", f"hello@sha256:{'0' * 64}"):
        image = hub.image_prefix + name
        sentence = hub.refusal("tess", image)
        assert any(reason in sentence for reason in ("image-unknown", "spec-invalid"))
    settled(hub, "tess")


def test_six_failures_in_a_row_leave_the_hub_up(hub, cluster_env, settled):
    for number in range(6):
        hub.refusal(f"six{number}", f"{cluster_env.git}/no-such-repository")
    settled(hub, "six0")


def test_registry_down_at_the_check(
    hub_factory, unverified_registry, new_repository, audit, settled
):
    hub = hub_factory(sections={"ImageBuilder": {"image_prefix": f"{unverified_registry}/t/"}})
    repository = new_repository(repositories.tiny)
    assert "registry-unavailable" in hub.refusal("uma", repository.url)
    assert audit.build_pods_created(hub.namespace) == []
    settled(hub, "uma")


def test_registry_down_at_the_push(
    hub_factory, flaky_registry, credentials, new_repository, settled
):
    hub = hub_factory(
        sections={
            "ImageBuilder": {
                "image_prefix": f"{flaky_registry.address}/t-{secrets.token_hex(4)}/",
                "confirm_timeout": 3,
            },
            "DistributionRegistry": {"credentials_file": credentials(flaky_registry.address)},
        }
    )
    repository = new_repository(repositories.slow, seconds=6)
    flaky_registry.start()
    hub.build("vera", repository.url)
    until(
        lambda: hub.builder("vera")("GET", "/api/builds").body["builds"][0]["phase"] == "building",
        what="the build's first step",
    )
    flaky_registry.stop()
    sentence = hub.progress("vera")[-1]["message"]
    assert "push-failed" in sentence or "registry-unavailable" in sentence
    settled(hub, "vera")


def test_wrong_credentials_at_the_check(hub_factory, credentials, new_repository, audit, settled):
    wrong = credentials(password="not-the-password")
    hub = hub_factory(sections={"DistributionRegistry": {"credentials_file": wrong}})
    repository = new_repository(repositories.tiny)
    sentence = hub.refusal("walt", repository.url)
    assert "registry-denied" in sentence
    assert "not-the-password" not in sentence + hub.log
    assert audit.build_pods_created(hub.namespace) == []
    settled(hub, "walt")


def test_wrong_credentials_at_the_push(hub_factory, credentials, kubectl, new_repository, settled):
    wrong, name = credentials(password="not-the-password"), f"wrong-{secrets.token_hex(3)}"
    hub = hub_factory(
        sections={
            "KubernetesExecutor": {"push_secret": name},
            "DistributionRegistry": {"credentials_file": credentials()},
        }
    )
    kubectl(
        *("create", "secret", "generic", name, "-n", hub.namespace),
        *("--type=kubernetes.io/dockerconfigjson", f"--from-file=.dockerconfigjson={wrong}"),
    )
    repository = new_repository(repositories.tiny)
    sentence = hub.refusal("xena", repository.url)
    assert "push-denied" in sentence
    assert "not-the-password" not in sentence
    settled(hub, "xena")


def test_a_push_secret_that_is_missing(hub_factory, credentials, new_repository, settled):
    hub = hub_factory(
        sections={
            "KubernetesExecutor": {"push_secret": "no-such-secret", "mount_grace": 3},
            "DistributionRegistry": {"credentials_file": credentials()},
        }
    )
    repository = new_repository(repositories.tiny)
    assert "mount-failed" in hub.refusal("xaver", repository.url)
    settled(hub, "xaver")


def test_no_node_with_an_engine(hub_factory, new_repository, settled):
    hub = hub_factory(
        sections={
            "KubernetesExecutor": {
                "engine_selector": "app=none",
                "engine_socket_dir": f"/var/run/ib-test-none-{secrets.token_hex(3)}",
                "engine_wait": 3,
            }
        }
    )
    repository = new_repository(repositories.tiny)
    assert "engine-unavailable" in hub.refusal("yves", repository.url)
    settled(hub, "yves")


def test_the_build_image_cannot_be_pulled(hub_factory, cluster_env, new_repository, settled):
    hub = hub_factory(
        sections={
            "KubernetesExecutor": {
                "build_image": f"{cluster_env.open_registry}/no-such-image:1",
                "pull_grace": 3,
            }
        }
    )
    repository = new_repository(repositories.tiny)
    assert "image-pull" in hub.refusal("zoe", repository.url)
    settled(hub, "zoe")
