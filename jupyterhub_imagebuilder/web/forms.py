"""What a form says of each kind of repository.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyterhub_imagebuilder.builds.ports import RepoProvider


@dataclass(frozen=True, slots=True)
class Form:
    """How repositories of one kind are written; ``{host}`` stands for the provider's first host."""

    name: str
    spec: str = ""
    examples: Sequence[str] = ()
    refs: bool = True  #: whether a branch, tag or commit can be chosen


_FORMS: Mapping[str, Form] = {
    "gh": Form(
        "GitHub",
        "org/repo/ref",
        (
            "https://{host}/org/repo",
            "https://{host}/org/repo@main",
            "https://{host}/org/repo/tree/main",
        ),
    ),
    "gist": Form(
        "Gist",
        "user/id/ref",
        ("https://gist.github.com/user/0123456789abcdef0123456789abcdef",),
    ),
    "gl": Form(
        "GitLab",
        "group%2Frepo/ref",
        ("https://{host}/group/repo", "https://{host}/group/repo/-/tree/main"),
    ),
    "gitea": Form(
        "Gitea or Forgejo",
        "host/org/repo/ref",
        ("https://{host}/org/repo", "https://{host}/org/repo/src/branch/main"),
    ),
    "bb": Form(
        "Bitbucket",
        "workspace/repo/ref",
        ("https://bitbucket.org/workspace/repo", "https://bitbucket.org/workspace/repo@main"),
    ),
    "git": Form(
        "Any Git repository",
        "percent-encoded-URL/ref",
        ("https://git.example.org/org/repo", "https://git.example.org/org/repo@main"),
    ),
    "zenodo": Form(
        "Zenodo",
        "10.5281/zenodo.3242074",
        ("https://doi.org/10.5281/zenodo.3242074", "https://zenodo.org/records/3242074"),
        refs=False,
    ),
    "figshare": Form(
        "Figshare",
        "10.6084/m9.figshare.9782777",
        ("https://doi.org/10.6084/m9.figshare.9782777.v2",),
        refs=False,
    ),
    "dataverse": Form(
        "Dataverse", "10.7910/DVN/TJCLKP", ("https://doi.org/10.7910/DVN/TJCLKP",), refs=False
    ),
    "hydroshare": Form(
        "HydroShare",
        "resource-id",
        ("https://www.hydroshare.org/resource/0123456789abcdef0123456789abcdef/",),
        refs=False,
    ),
    "ckan": Form(
        "CKAN", "percent-encoded-URL", ("https://{host}/dataset/name-of-the-dataset",), refs=False
    ),
    "swh": Form(
        "Software Heritage",
        "swh:1:rev:0123456789abcdef0123456789abcdef01234567",
        (
            "https://archive.softwareheritage.org/swh:1:rev:0123456789abcdef0123456789abcdef01234567",
        ),
        refs=False,
    ),
    "hg": Form(
        "Mercurial",
        "percent-encoded-URL/ref",
        ("hg+https://hg.example.org/repo", "hg+https://hg.example.org/repo@default"),
    ),
}


def provider_document(provider: RepoProvider) -> dict[str, Any]:
    """A provider; one that we do not know is described by its id alone."""
    form = _FORMS.get(provider.id, Form(provider.id))
    host = _host(provider)
    return {
        "id": provider.id,
        "name": form.name,
        "refs": form.refs,
        "spec": form.spec,
        "examples": [
            example.replace("{host}", host)
            for example in form.examples
            if host or "{host}" not in example
        ],
    }


def _host(provider: RepoProvider) -> str:
    """The host that its examples are on; empty where the admin has named none."""
    hosts = getattr(provider, "hosts", None) or [getattr(provider, "hostname", "")]
    return str(hosts[0])
