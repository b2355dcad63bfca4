"""The choice in a profile list, as pure functions on plain data.

The lists are KubeSpawner's, after it filled in slugs and defaults
(https://jupyterhub-kubespawner.readthedocs.io, ``KubeSpawner.profile_list``).  What is put in is
JSON data only: templates may dump the list into the page.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyterhub_imagebuilder.errors import SpecInvalid

#: Behind an option's name: the free text that was typed, and the commit that it came to mean.
UNLISTED = "--unlisted-choice"
COMMIT = "--unlisted-choice--commit"

_DEFAULT = "default"  # key of the choice that is made up
LABEL = "Build from a repository"
#: For the browser and for Python; without character classes, which the browser's v flag restricts.
#: It lets through whatever :func:`is_build` takes, and more, which the gate refuses.
BUILD_PATTERN = ".+://.+| *build:.+| *doi:.+| *DOI:.+| *10.+/.+| *swh:.+|.+@.+:.+"
HINT = (
    "Write a repository's address such as https://host/org/repo, with a ref behind @ if wanted, "
    "or a DOI"
)
DESCRIPTION = "Build an image from a Git repository or a dataset, and start the server from it"
#: None of these can be the name of an image: its host is no DOI's, whose second number would be too
#: large for an address; its port is a number; its digest has no slash and no dot.
_REPOSITORY = re.compile(
    r"build:[a-z][a-z0-9]*/|(?:(?:doi|DOI): *)?10\.[0-9]{4,9}(?:\.[0-9]+)*/|swh:[0-9]+:[a-z]+:"
    r"|(?:git|gitea|forgejo|hg|org-[0-9]+)@[A-Za-z0-9.-]+:[^\s@]*[/.]"
)

Profile = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the choice goes."""

    option_name: str = "image"
    profiles: tuple[str, ...] | None = None  #: slugs that take part; None is all of them

    @property
    def text_key(self) -> str:
        """Key of the free text in ``user_options``."""
        return self.option_name + UNLISTED

    @property
    def commit_key(self) -> str:
        """Key of the commit in ``user_options``."""
        return self.option_name + COMMIT

    def includes(self, profile: Mapping[str, Any]) -> bool:
        """Whether the choice belongs into this profile."""
        return self.profiles is None or profile.get("slug") in self.profiles


@dataclass(frozen=True, slots=True)
class Build:
    """A repository was chosen."""

    text: str
    commit: str | None = None  #: what the ref meant when the server first started from it


@dataclass(frozen=True, slots=True)
class OtherImage:
    """The image's name comes from a free text that the admin's own rule let through."""

    text: str


Selection = Build | OtherImage | None


def is_build(text: str) -> bool:
    """Whether a free text names a repository, rather than an image."""
    text = text.strip()
    return "://" in text or _REPOSITORY.match(text) is not None


def with_build_choice(
    profiles: Sequence[Profile] | None,
    settings: Settings,
    *,
    building: bool = False,
    only_slug: str = "server",
) -> list[Profile]:
    """A copy of an initialized profile list that offers to build from a repository.

    :param building: the text at hand names a repository: the admin's own override for free text
        does not apply to it.
    :param only_slug: of the one profile that is made up where there is none.
    """
    if not profiles:
        profiles = [{"display_name": "Server", "slug": only_slug, "default": True}]
        settings = Settings(settings.option_name)
    result = copy.deepcopy(list(profiles))
    for profile in result:
        if settings.includes(profile):
            _add_choice(profile, settings.option_name, building=building)
    return result


def selection(
    user_options: Mapping[str, Any], profiles: Sequence[Profile] | None, settings: Settings
) -> Selection:
    """What was chosen, by the rules that KubeSpawner and the admin have.

    :param profiles: the admin's own initialized list, without our choice in it.
    :returns: None where the image is not a free text's.
    :raises SpecInvalid: a free text that the admin's rule refuses, or that is no text.
    """
    profile = _chosen(user_options, profiles, settings)
    found: Selection = None
    for name, option in _options(profile, settings):
        ours = name == settings.option_name and settings.includes(profile)
        text = _text(user_options, name, required=ours)
        if not text:
            _check_choice(user_options, name, option)
            continue
        if ours and is_build(text):
            return Build(text.strip(), _commit(user_options, settings))
        unlisted = option.get("unlisted_choice") or {}
        _check_rule(text, unlisted, ours=ours)
        if "image" in unlisted.get("kubespawner_override", {}):
            found = OtherImage(text)
    return found


def _chosen(
    user_options: Mapping[str, Any], profiles: Sequence[Profile] | None, settings: Settings
) -> Profile:
    slug = user_options.get("profile")
    if not profiles:
        taking_part = settings.profiles[0] if settings.profiles else None
        return {"slug": taking_part}
    if not slug:
        return next((each for each in profiles if each.get("default")), profiles[0])
    for profile in profiles:
        if profile.get("slug") == slug:
            return profile
    raise SpecInvalid("There is no such profile; take one that the form offers.")


def _options(profile: Profile, settings: Settings) -> Iterator[tuple[str, Profile]]:
    options = profile.get("profile_options") or {}
    if settings.option_name not in options:
        yield settings.option_name, {}
    yield from options.items()


def _text(user_options: Mapping[str, Any], name: str, *, required: bool) -> str:
    text = user_options.get(name + UNLISTED)
    if text is not None and not isinstance(text, str):
        raise SpecInvalid(f"What was given as {name} has to be a text.")
    if required and text is not None and not text.strip() and not user_options.get(name):
        raise SpecInvalid(f"No repository was given. {HINT}.")
    return text or ""


def _check_choice(user_options: Mapping[str, Any], name: str, option: Mapping[str, Any]) -> None:
    """Refuse what KubeSpawner would stumble over: the hub counts that as a fault of its own."""
    choice = user_options.get(name)
    if not choice:
        return
    choices = option.get("choices") or {_DEFAULT: {}}
    if not isinstance(choice, str) or choice not in choices:
        raise SpecInvalid(f"There is no such choice of {name}; take one that the form offers.")


def _commit(user_options: Mapping[str, Any], settings: Settings) -> str | None:
    commit = user_options.get(settings.commit_key)
    if commit is not None and not isinstance(commit, str):
        raise SpecInvalid("The commit has to be a text.")
    return commit or None


def _check_rule(text: str, unlisted: Mapping[str, Any], *, ours: bool) -> None:
    """Hold a free text against the admin's rule: KubeSpawner skips it without a profile's slug."""
    if not unlisted.get("enabled"):
        raise SpecInvalid(f"This is no repository. {HINT}." if ours else "Free text is off here.")
    rule = unlisted.get("validation_regex")
    # re.match, as KubeSpawner does: a rule without $ is a rule for the beginning
    if rule and not re.match(rule, text):
        message = unlisted.get("validation_message") or "This text is not allowed here"
        raise SpecInvalid(f"{message.rstrip('.')}." + (f" Or: {HINT}." if ours else ""))


def _add_choice(profile: Profile, name: str, *, building: bool) -> None:
    options = profile["profile_options"] = profile.get("profile_options") or {}
    option = options.setdefault(name, {"display_name": "Image"})
    unlisted = option.get("unlisted_choice") or {}
    if unlisted.get("enabled"):
        option["unlisted_choice"] = _shared(unlisted)
    else:
        option["unlisted_choice"] = _own()
        if not option.get("choices"):
            option["choices"] = {_DEFAULT: _default_choice()}
    if building:
        option["unlisted_choice"]["kubespawner_override"] = {"image": "{value}"}


def _default_choice() -> Profile:
    return {"display_name": "Image of this profile", "default": True, "kubespawner_override": {}}


def _own() -> Profile:
    return {
        "enabled": True,
        "display_name": "Repository",
        "display_name_in_choices": LABEL,
        "description_in_choices": DESCRIPTION,
        "validation_regex": BUILD_PATTERN,
        "validation_message": HINT,
        "kubespawner_override": {"image": "{value}"},
    }


def _shared(theirs: Mapping[str, Any]) -> Profile:
    """One text field for the admin's free text and for a repository."""
    merged = dict(theirs)
    merged["display_name"] = f"{theirs.get('display_name') or 'Image'}, or a repository to build"
    in_choices = theirs.get("display_name_in_choices") or "Other..."
    merged["display_name_in_choices"] = f"{in_choices}, or: {LABEL}"
    descriptions = [theirs.get("description_in_choices"), DESCRIPTION]
    merged["description_in_choices"] = "; or: ".join(text for text in descriptions if text)
    merged.pop("validation_regex", None)
    if rule := _either(theirs.get("validation_regex")):
        merged["validation_regex"] = rule
    messages = [(theirs.get("validation_message") or "").rstrip("."), HINT]
    merged["validation_message"] = "; or: ".join(text for text in messages if text)
    return merged


def _either(rule: str | None) -> str | None:
    """A pattern for both; None is no pattern, and leaves the refusal to the server's gate."""
    if not rule:
        return None
    either = f"(?:{BUILD_PATTERN})|(?:{rule})"
    try:
        re.compile(either)
    except re.error:  # flags such as (?i), which have to come first and no browser knows
        return None
    return either
