"""A provider for the fuzzer: reads addresses as the real one does, and asks nobody."""

from __future__ import annotations

from stubs import StubProvider

from jupyterhub_imagebuilder.errors import SpecInvalid
from jupyterhub_imagebuilder.providers.address import read_address, scheme_of


class PickyProvider(StubProvider):
    def from_url(self, url, ref):
        if scheme_of(url) not in {"http", "https"}:
            return None
        return super().from_url(str(read_address(url)), ref)

    def from_spec(self, spec):
        found = super().from_spec(spec)
        if found is None:
            raise SpecInvalid("A repository is written <percent-encoded URL>/<ref>.")
        return found
