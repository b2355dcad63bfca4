from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.errors import SpecForbidden
from tests.unit.builds.records import resolved

REPO = "https://github.com/Org/Repo"


@pytest.mark.parametrize(
    ("policy", "may"),
    [
        (SpecPolicy(), True),
        (SpecPolicy(allowed=["https://github.com/org/"]), True),
        (SpecPolicy(allowed=["https://gitlab.com/", "https://github.com/"]), True),
        (SpecPolicy(allowed=["https://gitlab.com/"]), False),
        (SpecPolicy(banned=["https://github.com/org/repo$"]), False),
        (SpecPolicy(banned=["https://github.com/org/rep$"]), True),
        (SpecPolicy(allowed=["https://github.com/"], banned=["https://github.com/org"]), False),
    ],
)
def test_who_may_build_what(policy, may):
    spec = resolved(repository=REPO).spec
    if may:
        assert policy.check(spec) is None
    else:
        with pytest.raises(SpecForbidden, match="may not be built here"):
            policy.check(spec)
