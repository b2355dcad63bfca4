"""Records that the tests of the domain share."""

from __future__ import annotations

from jupyterhub_imagebuilder.builds import naming
from jupyterhub_imagebuilder.builds.model import BuildRequest, Owner, RepoSpec, ResolvedRef

COMMIT = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
ALICE = Owner("alice")
BOB = Owner("bob")
ADMIN = Owner("root", admin=True)


def resolved(repository="https://git.example.org/org/repo", commit=COMMIT, ref="main"):
    return ResolvedRef(RepoSpec("git", repository, ref, f"{repository}/{ref}"), commit)


def request(build_id="b1", owner=ALICE, **kwargs):
    what = resolved(**kwargs)
    key = naming.build_key(what, {}, "linux/amd64")
    return BuildRequest(
        id=build_id,
        key=key,
        name=naming.build_name(what, key),
        resolved=what,
        image=naming.image_name(what, key, "registry.example.org/team/"),
        owner=owner,
        created=1000.0,
    )
