from __future__ import annotations

import copy
import json
import re

import hypothesis
import jinja2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_imagebuilder.errors import SpecInvalid
from jupyterhub_imagebuilder.hub.profile import (
    BUILD_PATTERN,
    Build,
    OtherImage,
    Settings,
    is_build,
    selection,
    with_build_choice,
)

SETTINGS = Settings()

# As hub admins write it today.
ADMINS = yaml.safe_load("""
- display_name: "Only Profile Available, this info is not shown in the UI"
  slug: only-choice
  profile_options:
    image:
      display_name: Image
      unlisted_choice:
        enabled: True
        display_name: "Custom image"
        validation_regex: "^.+:.+$"
        validation_message: "Must be a publicly available docker image, of form <image-name>:<tag>"
        display_name_in_choices: "Specify an existing docker image"
        description_in_choices: "Use a pre-existing docker image from a public docker registry (dockerhub, quay, etc)"
        kubespawner_override:
          image: "{value}"
      choices:
        pangeo:
          display_name: Pangeo Notebook Image
          description: "Python image with scientific, dask and geospatial tools"
          kubespawner_override:
            image: pangeo/pangeo-notebook:2023.09.11
        scipy:
          display_name: Jupyter SciPy Notebook
          slug: scipy
          kubespawner_override:
            image: jupyter/scipy-notebook:2023-06-26
""")  # noqa: E501


def option_of(profiles, name="image", index=0):
    return profiles[index]["profile_options"][name]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://github.com/org/repo", True),
        ("git://10.85.0.1/hello@main", True),
        ("  build:gh/org/repo/HEAD ", True),
        ("quay.io/org/image:tag", False),
        ("jupyter/scipy-notebook:2023-06-26", False),
        ("rebuild:1", False),
        ("", False),
        ("build:latest", False),
        ("build:5000/org/image", False),
        ("10.5281/zenodo.3242074", True),
        ("doi:10.7910/DVN/TJCLKP", True),
        ("DOI: 10.7910/DVN/TJCLKP", True),
        ("10.5281:5000/image", False),
        ("10.0.0.1:5000/image", False),
        ("10.0.0.1/image", False),
        ("10.1.100.20/image", False),
        ("swh:1:rev:" + "a" * 40, True),
        ("swh:1", False),
        ("hg+https://hg.example.org/repo@stable", True),
        ("git@github.com:org/repo.git", True),
        ("git@github.com:org/repo", True),
        ("git@gist.github.com:" + "1" * 32 + ".git", True),
        ("git@sha256:" + "1" * 64, False),
        ("image@sha256:" + "1" * 64, False),
    ],
)
def test_what_is_a_repository(text, expected):
    assert is_build(text) is expected
    if expected:
        assert re.match(BUILD_PATTERN, text)


WORD = st.from_regex(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", fullmatch=True)
#: Hosts that can be: the last part of a name is no number, an address has four of at most 255.
HOST = st.one_of(
    st.from_regex(r"(?:[a-z0-9-]{1,8}\.){0,2}[a-z]{2,8}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.just("localhost"),
    st.sampled_from(["build", "doi", "swh", "git", "hg"]),
)
PORT = st.one_of(st.just(""), st.integers(1, 65535).map(":{}".format))
END = st.one_of(
    st.just(""),
    st.from_regex(r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    st.from_regex(r"@(?:sha256:[a-f0-9]{64}|git[+.]x:[0-9a-f]{32})", fullmatch=True),
)
IMAGES = st.one_of(
    st.tuples(HOST, PORT, st.lists(WORD, min_size=1, max_size=3), END).map(
        lambda parts: f"{parts[0]}{parts[1]}/{'/'.join(parts[2])}{parts[3]}"
    ),
    st.tuples(st.one_of(WORD, st.sampled_from(["build", "doi", "swh", "git"])), END).map("".join),
)


@given(IMAGES)
@hypothesis.settings(deadline=None, database=None)
def test_the_name_of_an_image_is_never_a_repository(image):
    assert not is_build(image)


@given(st.text(max_size=60) | st.from_regex(r"(?:10\.|doi:|swh:|git@|build:)\S{0,40}"))
@hypothesis.settings(deadline=None, database=None)
def test_what_is_a_repository_passes_the_forms_own_rule(text):
    if is_build(text) and text.isprintable():
        assert re.match(BUILD_PATTERN, text)


def test_no_profiles_become_one_that_offers_to_build():
    for none in ([], None):
        (profile,) = with_build_choice(none, SETTINGS)
        option = profile["profile_options"]["image"]
        assert profile["slug"] == "server"
        assert profile["default"] is True
        assert option["unlisted_choice"]["display_name_in_choices"] == "Build from a repository"
        assert option["choices"]["default"] == {
            "display_name": "Image of this profile",
            "default": True,
            "kubespawner_override": {},
        }


def test_a_profile_without_options_keeps_its_image_as_the_default_choice():
    (profile,) = with_build_choice([{"display_name": "CPU", "slug": "cpu"}], SETTINGS)
    option = profile["profile_options"]["image"]
    assert list(option["choices"]) == ["default"]
    assert option["unlisted_choice"]["kubespawner_override"] == {"image": "{value}"}


def test_existing_choices_stay_and_ours_is_the_unlisted_one():
    admins = [{"slug": "a", "profile_options": {"image": {"choices": {"x": {}}}}}]
    option = option_of(with_build_choice(admins, SETTINGS))
    assert option["choices"] == {"x": {}}
    assert option["unlisted_choice"]["enabled"] is True


def test_one_field_serves_the_admins_free_text_and_a_repository():
    option = option_of(with_build_choice(ADMINS, SETTINGS))
    unlisted = option["unlisted_choice"]
    assert option["choices"] == option_of(ADMINS)["choices"]
    assert unlisted["display_name"] == "Custom image, or a repository to build"
    assert unlisted["display_name_in_choices"] == (
        "Specify an existing docker image, or: Build from a repository"
    )
    assert unlisted["description_in_choices"].startswith("Use a pre-existing docker image")
    assert "Git repository" in unlisted["description_in_choices"]
    assert "of form <image-name>:<tag>; or: Write a repository" in unlisted["validation_message"]
    assert unlisted["kubespawner_override"] == {"image": "{value}"}


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("https://github.com/org/repo@main", True),
        ("git://10.85.0.1/hello", True),
        ("build:gh/org/repo/HEAD", True),
        ("quay.io/org/image:tag", True),
        ("quay.io/org/image", False),
    ],
)
def test_the_shared_pattern_lets_both_through_as_the_browser_anchors_it(text, passes):
    pattern = option_of(with_build_choice(ADMINS, SETTINGS))["unlisted_choice"]["validation_regex"]
    assert bool(re.fullmatch(pattern, text)) is passes
    assert bool(re.match(pattern, text)) is passes


def test_patterns_use_nothing_that_the_v_flag_forbids():
    assert not set(BUILD_PATTERN) & set("[]()-/\\&\"'") - {"/"}


def test_a_rule_that_cannot_be_combined_is_left_to_the_server():
    admins = copy.deepcopy(ADMINS)
    option_of(admins)["unlisted_choice"]["validation_regex"] = "(?i)^quay.io/"
    unlisted = option_of(with_build_choice(admins, SETTINGS))["unlisted_choice"]
    assert "validation_regex" not in unlisted
    assert selection({"image--unlisted-choice": "QUAY.io/x:1"}, admins, SETTINGS)
    with pytest.raises(SpecInvalid):
        selection({"image--unlisted-choice": "other.io/x:1"}, admins, SETTINGS)


def test_a_build_is_not_put_through_the_admins_override():
    admins = copy.deepcopy(ADMINS)
    override = {"image": "mirror.test/{value}", "environment": {"FROM": "{value}"}}
    option_of(admins)["unlisted_choice"]["kubespawner_override"] = override
    shown = option_of(with_build_choice(admins, SETTINGS))
    building = option_of(with_build_choice(admins, SETTINGS, building=True))
    assert shown["unlisted_choice"]["kubespawner_override"] == override
    assert building["unlisted_choice"]["kubespawner_override"] == {"image": "{value}"}


def test_only_named_profiles_and_the_named_option_take_part():
    admins = [{"slug": "a"}, {"slug": "b"}]
    result = with_build_choice(admins, Settings("environment", ("b",)))
    assert "profile_options" not in result[0]
    assert list(result[1]["profile_options"]) == ["environment"]


def test_the_admins_list_is_not_touched():
    before = copy.deepcopy(ADMINS)
    with_build_choice(ADMINS, SETTINGS)
    assert before == ADMINS


def test_templates_can_dump_the_list_into_the_page():
    profiles = with_build_choice(ADMINS, SETTINGS)
    text = jinja2.Template("{{ profiles|tojson }}").render(profiles=profiles)
    assert json.loads(text) == profiles


def test_all_three_kinds_of_image_are_reached_through_the_admins_list():
    def chosen(**options):
        options = {key.replace("__", "--"): value for key, value in options.items()}
        return selection({"profile": "only-choice", **options}, ADMINS, SETTINGS)

    assert chosen(image="pangeo") is None
    assert chosen(**{"image__unlisted-choice": "quay.io/a/b:c"}) == OtherImage("quay.io/a/b:c")
    assert chosen(**{"image__unlisted-choice": " https://h/o/r@v1 "}) == Build("https://h/o/r@v1")


def test_the_saved_commit_goes_with_the_text():
    options = {"image--unlisted-choice": "git://h/r", "image--unlisted-choice--commit": "abc"}
    assert selection(options, ADMINS, SETTINGS) == Build("git://h/r", "abc")


REFUSED = [
    # the admin's rule holds without a profile's slug, too
    ({"image--unlisted-choice": "no-tag"}, ADMINS, "Must be a publicly available docker image"),
    ({"profile": "", "image--unlisted-choice": "no-tag"}, ADMINS, "Must be a publicly"),
    ({"profile": "only-choice", "image--unlisted-choice": "no-tag"}, ADMINS, "Must be a publicly"),
    # free text where the admin has none, or switched it off
    ({"image--unlisted-choice": "evil/x:1"}, [{"slug": "a"}], "This is no repository"),
    ({"image--unlisted-choice": "evil/x:1"}, [], "This is no repository"),
    (
        {"image--unlisted-choice": "evil/x:1"},
        [
            {
                "slug": "a",
                "profile_options": {
                    "image": {
                        "unlisted_choice": {
                            "enabled": False,
                            "kubespawner_override": {"image": "{value}"},
                        }
                    }
                },
            }
        ],
        "This is no repository",
    ),
    (
        {"disk--unlisted-choice": "9999"},
        [{"slug": "a", "profile_options": {"disk": {"choices": {"s": {}}}}}],
        "Free text is off here",
    ),
    # what is no text
    ({"image--unlisted-choice": 5}, ADMINS, "has to be a text"),
    ({"image--unlisted-choice": ["https://h/o/r"]}, ADMINS, "has to be a text"),
    ({"image--unlisted-choice": {}}, ADMINS, "has to be a text"),
    (
        {"image--unlisted-choice": "git://h/r", "image--unlisted-choice--commit": 7},
        ADMINS,
        "commit has to be a text",
    ),
    ({"image": ["pangeo"]}, ADMINS, "no such choice"),
    ({"image": "unlisted-choice"}, ADMINS, "no such choice"),
    ({"image--unlisted-choice": "  "}, ADMINS, "No repository was given"),
    ({"profile": "gone"}, ADMINS, "no such profile"),
    ({"profile": ["only-choice"]}, ADMINS, "no such profile"),
]


@pytest.mark.parametrize(("options", "profiles", "sentence"), REFUSED)
def test_what_is_refused(options, profiles, sentence):
    with pytest.raises(SpecInvalid, match=sentence) as caught:
        selection(options, profiles, SETTINGS)
    assert caught.value.reason == "spec-invalid"


def test_a_profile_that_takes_no_part_builds_nothing():
    settings = Settings(profiles=("other",))
    with pytest.raises(SpecInvalid, match="Must be"):
        selection({"image--unlisted-choice": "https//h"}, ADMINS, settings)
    found = selection({"image--unlisted-choice": "https://h/o:r"}, ADMINS, settings)
    assert found == OtherImage("https://h/o:r")


def test_nothing_chosen_is_the_default():
    assert selection({}, ADMINS, SETTINGS) is None
    assert selection({}, [], SETTINGS) is None
    assert selection({"image": "default"}, [{"slug": "a"}], SETTINGS) is None
    assert selection({"garbage": [1]}, ADMINS, SETTINGS) is None


def test_without_profiles_any_slug_is_the_one_there_is():
    options = {"profile": "left-over", "image--unlisted-choice": "git://h/r"}
    assert selection(options, [], SETTINGS) == Build("git://h/r")
