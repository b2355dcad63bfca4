"""DOIs: every spelling that people paste, whose archive one is, and where it leads.

Sources: the DOI Handbook, "Syntax of a DOI name" and "REST API Request Format" / "REST API Response
Format" (https://doi.org/api/handles/<doi>).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound, SpecInvalid
from jupyterhub_imagebuilder.providers.archive import member, members, unreadable
from jupyterhub_imagebuilder.providers.hostapi import HostApi

#: Where DOIs are looked up, by us and by repo2docker.
RESOLVER: Final = "https://doi.org"

_DOI = re.compile(r"10\.[0-9]{4,9}(?:\.[0-9]+)*/[^\s\\]{1,200}")
_START = re.compile(
    r"(?P<mark>doi:\s*|info:doi/|(?P<web>(?:https?://)?(?:www\.|dx\.)?doi\.org/(?:doi:)?))?(?=10\.[0-9])",
    re.IGNORECASE,
)
#: What a sentence or a list puts behind a DOI.
_PUNCTUATION = ".,;"
#: DOIs whose archive is known by their look; all others may be any archive's.
_KNOWN = (
    ("zenodo", re.compile(r"10\.(?:5281|5072)/zenodo\.", re.IGNORECASE)),
    ("figshare", re.compile(r"10\.6084/m9\.figshare\.", re.IGNORECASE)),
    ("hydroshare", re.compile(r"10\.4211/hs\.", re.IGNORECASE)),
    ("zenodo", re.compile(r"10\.22002/")),
)
#: Characters that need no escape in the path of a URL, nor in a spec.
_SAFE = "/:@!$&'()*+,;=~"


def read_doi(text: str) -> str | None:
    """Read a DOI with or without ``doi:`` or a resolver's address; None when it is none.

    :return: the DOI alone, ``10.5281/zenodo.3242074``, in the case in which it was written.
    :raises SpecInvalid: it says that it is one, and is none.
    """
    start = _START.match(text)
    if start is None:
        return None
    doi = text[start.end() :]
    if start["web"]:
        doi = unquote(re.split(r"[?#]", doi, maxsplit=1)[0])
    doi = doi.rstrip(_PUNCTUATION)
    plain = doi.isprintable() and not any(part in {".", ".."} for part in doi.split("/"))
    if not plain or not _DOI.fullmatch(doi):
        if start["mark"] is None:  # 10.0.0.1:5000/image
            return None
        raise SpecInvalid("This is no DOI: write it as in 10.5281/zenodo.3242074.")
    return doi


def archive_of(doi: str) -> str | None:
    """Id of the provider to which a DOI belongs by its look; None where only doi.org knows."""
    return next((archive for archive, start in _KNOWN if start.match(doi)), None)


def doi_url(doi: str) -> str:
    """The DOI as a URL, which is its canonical form."""
    return f"{RESOLVER}/{quote_doi(doi)}"


def quote_doi(doi: str) -> str:
    """The DOI as a part of a spec or of a path."""
    return quote(doi, safe=_SAFE)


async def landing_page(resolver: HostApi, doi: str) -> str:
    """The address of the page to which a DOI leads, by one question to doi.org.

    :param resolver: client of ``RESOLVER``.
    :raises RefNotFound: there is no such DOI, or it leads nowhere.
    :raises ProviderUnavailable: no answer.
    """
    answer = await resolver.get_json(
        f"api/handles/{quote_doi(doi)}?type=URL", what=f"The DOI {doi}"
    )
    for value in members(answer, "values", "doi.org"):
        if member(value, "type", str, "doi.org") != "URL":
            continue
        url = member(member(value, "data", dict, "doi.org"), "value", str, "doi.org")
        return _checked(url)
    raise RefNotFound(f"The DOI {doi} leads to no page.")


def _checked(url: str) -> str:
    try:
        split = urlsplit(url)
        named = split.scheme.lower() in {"http", "https"} and bool(split.hostname)
    except ValueError as error:
        raise unreadable("doi.org") from error
    if not named or "@" in split.netloc or not url.isprintable():
        raise ProviderUnavailable("The DOI leads to something that is no web page.")
    return url
