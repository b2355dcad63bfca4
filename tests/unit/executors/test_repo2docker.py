from __future__ import annotations

import json
from dataclasses import replace

import pytest

from jupyterhub_imagebuilder.builds.model import RepoSpec, ResolvedRef
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.executors import entrypoint, repo2docker
from jupyterhub_imagebuilder.executors.repo2docker import PushEnd

from .requests import make_request


def record(message, phase=None):
    return json.dumps({"message": message} | ({"phase": phase} if phase else {}))


def test_the_command_line_is_words_with_the_repository_last():
    request = make_request("git://example.org/hello; rm -rf")

    words = repo2docker.arguments(
        request, buildx_args=["--provenance=false"], extra_args=["--Repo2Docker.base_image=x"]
    )

    assert words[-1] == "git://example.org/hello; rm -rf"
    assert words[words.index("--ref") + 1] == request.resolved.commit
    assert words[words.index("--image") + 1] == str(request.image)
    assert "--push" in words
    assert "--DockerEngine.extra_buildx_build_args=--provenance=false" in words
    assert words[-2] == "--Repo2Docker.base_image=x"


@pytest.mark.parametrize(
    ("ref", "first"),
    [
        ("refs/pull/7/head", "--fetch=refs/pull/7/head"),
        ("main", "--ref"),
        ("HEAD", "--ref"),
    ],
)
def test_a_ref_that_is_no_branch_is_fetched(ref, first):
    request = make_request("https://example.org/x")
    resolved = replace(request.resolved, spec=replace(request.spec, ref=ref))
    assert repo2docker.arguments(replace(request, resolved=resolved))[0] == first


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("gh", "Git"),
        ("git", "Git"),
        ("zenodo", "Zenodo"),
        ("figshare", "Figshare"),
        ("dataverse", "Dataverse"),
        ("hydroshare", "Hydroshare"),
        ("ckan", "CKAN"),
        ("swh", "Swhid"),
        ("hg", "Mercurial"),
        ("anything", "Git"),
    ],
)
def test_the_content_provider_follows_from_the_provider(provider, name):
    request = make_request("https://example.org/x")
    spec = replace(request.spec, provider=provider)
    words = repo2docker.arguments(replace(request, resolved=replace(request.resolved, spec=spec)))
    assert repo2docker.content_provider(provider) == name
    assert entrypoint.configuration(name)
    first = "--ref" if name == "Git" else f"--content-provider={name}"
    assert words[0] == first
    assert sum(word.startswith("--content-provider") for word in words) == (name != "Git")


_SWHID = f"swh:1:rev:{'a' * 40}"


@pytest.mark.parametrize(
    ("provider", "repository", "commit", "fetched"),
    [
        ("git", "https://example.org/x", "1", "https://example.org/x"),
        (
            "zenodo",
            "https://zenodo.org/records/3242073",
            "3242090",
            "https://zenodo.org/records/3242090",
        ),
        (
            "zenodo",
            "https://sandbox.zenodo.org/record/1",
            "2",
            "https://sandbox.zenodo.org/record/2",
        ),
        ("zenodo", "https://doi.org/10.22002/D1.1", "abcde-12345", "https://doi.org/10.22002/D1.1"),
        ("zenodo", "https://doi.org/10.1/records/1", "2", "https://doi.org/10.1/records/1"),
        (
            "figshare",
            "https://figshare.com/articles/_/97",
            "97.v3",
            "https://figshare.com/articles/_/97/3",
        ),
        ("swh", f"https://archive.softwareheritage.org/{_SWHID}", _SWHID, _SWHID),
        ("hg", "https://example.org/x", "a" * 40, "https://example.org/x"),
        (
            "dataverse",
            "https://x.org/dataset.xhtml?persistentId=doi:10.1/x",
            "v1.0",
            "https://x.org/dataset.xhtml?persistentId=doi:10.1/x",
        ),
        ("ckan", "https://x.org/dataset/a", "a.v1", "https://x.org/dataset/a"),
    ],
)
def test_what_is_fetched_is_the_version(provider, repository, commit, fetched):
    resolved = ResolvedRef(RepoSpec(provider, repository, "HEAD", "x"), commit)
    assert repo2docker.source(resolved) == fetched


@pytest.mark.parametrize("provider", ["zenodo", "figshare", "swh"])
@pytest.mark.parametrize("commit", ["../../evil", "--config=/x", "1/2", "", "a" * 40, "\n1"])
def test_an_id_of_another_form_changes_no_address(provider, commit):
    repository = "https://zenodo.org/records/3242073"
    resolved = ResolvedRef(RepoSpec(provider, repository, "HEAD", "x"), commit)
    assert repo2docker.source(resolved) == repository


def test_without_a_registry_nothing_is_pushed():
    assert "--push" not in repo2docker.arguments(make_request(registry=""))


@pytest.mark.parametrize(
    ("line", "text", "phase"),
    [
        (record("Cloning into 'x'...\n", "fetching"), "Cloning into 'x'...", Phase.FETCHING),
        (record("#5 [1/3] FROM base\n", "building"), "#5 [1/3] FROM base", Phase.BUILDING),
        (record("Picked Git content provider.\n"), "Picked Git content provider.", None),
        (record("bad\n", "failed"), "bad", None),
        (record("\n", "building"), "", Phase.BUILDING),
        ("123", "123", None),
        ('{"message": 5}', '{"message": 5}', None),
        ("{not json", "{not json", None),
        ('{"a": ' * 20, '{"a": ' * 20, None),
        ("Login Succeeded", "Login Succeeded", None),
        ("", "", None),
        (
            record("#9 pushing 10.0.0.1:5000/a:b with docker\n", "building"),
            "#9 pushing 10.0.0.1:5000/a:b with docker",
            Phase.PUSHING,
        ),
        (record("#8 pushing layers\n", "building"), "#8 pushing layers", Phase.PUSHING),
        (
            record("#8 pushing manifest for r/a:b@sha256:0 0.1s done\n", "building"),
            "#8 pushing manifest for r/a:b@sha256:0 0.1s done",
            Phase.PUSHING,
        ),
        (
            "The push refers to repository [r/a]",
            "The push refers to repository [r/a]",
            Phase.PUSHING,
        ),
        (record("#8 exporting to image\n", "building"), "#8 exporting to image", Phase.BUILDING),
        # what a step prints is no phase
        (
            record("#6 0.400 pushing layers\n", "building"),
            "#6 0.400 pushing layers",
            Phase.BUILDING,
        ),
    ],
)
def test_a_line_is_understood(line, text, phase):
    assert repo2docker.read_line(line) == (text, phase)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Cloning https://me:secret@host/x", "Cloning https://***@host/x"),
        ("https://token@host/x and https://a:b@c", "https://***@host/x and https://***@c"),
        ("mail me@example.org", "mail me@example.org"),
        ("https://host/a@b", "https://host/a@b"),
    ],
)
def test_credentials_are_blanked_out(said, shown):
    assert repo2docker.read_line(record(said)).text == shown


DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        (
            [
                "#8 exporting to image",
                "#8 DONE 0.4s",
                "#9 pushing r/a:b with docker",
                "#8 DONE 0.4s",
                "#90 DONE 0.4s",
                "#9 pushing layer 7a30c68a24bd done",
                "#9 DONE 3.2s",
            ],
            6,
        ),
        (
            ["#8 pushing layers", "#8 pushing manifest for r/a:b@sha256:0 0.1s done", "#8 DONE 4s"],
            2,
        ),
        (
            ["The push refers to repository [r/a]", "7a30: Pushed", f"b: digest: {DIGEST} size: 9"],
            2,
        ),
        (["#6 0.4 #9 pushing layers", "#9 DONE 1.0s", f"b: digest: {DIGEST} size: 9"], None),
    ],
)
def test_the_end_of_a_push_is_seen_once_and_only_behind_its_beginning(lines, end):
    push = PushEnd()
    seen = [index for index, line in enumerate([*lines, *lines[-1:]]) if push.seen_in(line)]
    assert seen == ([] if end is None else [end])


def test_a_push_of_repo2dockers_own_has_a_phase_and_an_end():
    said = '{"message": "Successfully pushed registry.example.org/a:b", "phase": "%s"}'
    end = repo2docker.PushEnd()

    pushed = repo2docker.read_line(said % "pushing")
    printed = repo2docker.read_line(said % "building")

    assert (pushed.phase, printed.phase) == (Phase.PUSHING, Phase.BUILDING)
    assert end.seen_in(*pushed)
    assert not end.seen_in(*printed)
