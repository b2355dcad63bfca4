"""The one reader of what people type, for form, links and programs alike.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.builds.ports import RepoProvider
from jupyterhub_imagebuilder.errors import SpecInvalid

#: Longest text that is read, in characters: what browsers and proxies still take as a URL.
MAX_LENGTH = 2048

_EXAMPLE = "https://github.com/org/repo or https://github.com/org/repo@main"
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_SCP = re.compile(r"[A-Za-z0-9._-]+@(?P<host>[A-Za-z0-9.-]+):(?P<path>[A-Za-z0-9._/-]+)")


def parse(text: str, providers: Sequence[RepoProvider]) -> RepoSpec:
    """Read what a person typed or pasted.

    :param text: ``build:<provider>/<spec>``, or a repository's address with an optional ref
        behind the first ``@`` of its path.  White space around it does not matter.
    :param providers: those that there are, in any order; ``git``, which takes any address, is
        asked last.  A repository that another one knows is that one's, however it was written:
        one repository has one name.
    :raises SpecInvalid: nothing else, whatever the text.
    """
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise SpecInvalid(f"The text is longer than the {MAX_LENGTH} characters that are allowed.")
    ordered = sorted(providers, key=lambda provider: provider.id == "git")
    if text.startswith("build:"):
        spec = _named(text.removeprefix("build:"), ordered)
        if spec.provider != "git":
            # git would take a dataset's page, or another system's repository, for one of its own
            ordered = [provider for provider in ordered if provider.id != "git"]
        return _claimed(spec.repository, spec.ref, ordered) or spec
    url, ref = _split_ref(text)
    found = _claimed(url, ref, ordered)
    if found is None:
        raise SpecInvalid(_hint(text))
    return found


def provider_of(name: str, providers: Iterable[RepoProvider]) -> RepoProvider:
    """The provider of that id.

    :raises SpecInvalid: there is none; the sentence says which there are.
    """
    by_id = {provider.id: provider for provider in providers}
    if name not in by_id:
        known = ", ".join(sorted(by_id)) or "none"
        raise SpecInvalid(
            f"The repository's provider is not one that this hub has; it has: {known}."
        )
    return by_id[name]


def _named(text: str, providers: Iterable[RepoProvider]) -> RepoSpec:
    """Read ``<provider>/<spec>``."""
    name, _, spec = text.partition("/")
    return provider_of(name, providers).from_spec(spec)


def _claimed(url: str, ref: str | None, providers: Iterable[RepoProvider]) -> RepoSpec | None:
    """Ask one provider after the other for the address."""
    answers = (provider.from_url(url, ref) for provider in providers)
    return next((answer for answer in answers if answer is not None), None)


def _split_ref(text: str) -> tuple[str, str | None]:
    """Split an address from the ref behind it.

    An ``@`` before the path belongs to credentials, which a provider refuses in its own words.
    """
    origin = _ORIGIN.match(text)
    if origin is None:
        return text, None
    path, at, ref = text[origin.end() :].partition("@")
    if at and not ref:
        raise SpecInvalid("A branch, tag or commit is missing behind the '@'.")
    return origin.group() + path, ref or None


def _hint(text: str) -> str:
    scp = _SCP.fullmatch(text)
    if scp is not None:
        return (
            "Repositories are not read over SSH: write for example "
            f"https://{scp['host']}/{scp['path'].lstrip('/').removesuffix('.git')}."
        )
    return f"This is not the address of a repository: write for example {_EXAMPLE}."
