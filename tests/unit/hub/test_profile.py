from __future__ import annotations

import copy
import json
import re

import jinja2
import pytest
import yaml

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
    ],
)
def test_what_is_a_repository(text, expected):
    assert is_build(text) is expected


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
