"""Which repositories may be built here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jupyterhub_imagebuilder.builds.model import RepoSpec
from jupyterhub_imagebuilder.errors import SpecForbidden


@dataclass(frozen=True, slots=True)
class SpecPolicy:
    """Regular expressions over the canonical URL of a repository.

    The canonical URL has one spelling per repository, so that a rule cannot be passed by writing
    the address in another way.  Expressions match from the start, without regard to case.

    :param allowed: where there are any, one of them has to match.
    :param banned: none of these may match.
    """

    allowed: Sequence[str] = ()
    banned: Sequence[str] = ()

    def check(self, spec: RepoSpec) -> None:
        """Return if the repository may be built.

        :raises SpecForbidden: it may not.
        """
        if self._matches(self.banned, spec) or (
            self.allowed and not self._matches(self.allowed, spec)
        ):
            raise SpecForbidden(
                f"{spec.repository} may not be built here; ask the people who run this hub."
            )

    @staticmethod
    def _matches(patterns: Sequence[str], spec: RepoSpec) -> bool:
        return any(re.match(pattern, spec.repository, re.IGNORECASE) for pattern in patterns)
