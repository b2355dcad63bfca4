"""The profile lists that the hubs of these tests have."""

from __future__ import annotations

from typing import Any

#: Slug of the one profile in :func:`pangeo_like`.
PROFILE = "only-choice"


def pangeo_like(first: str, second: str) -> list[dict[str, Any]]:
    """One profile with two listed images and a free "other image", as hubs in the wild have it.

    :param first: the image of the choice ``pangeo``.
    :param second: the image of the choice ``scipy``.
    """
    return [
        {
            "display_name": "Only Profile Available, this info is not shown in the UI",
            "slug": PROFILE,
            "profile_options": {
                "image": {
                    "display_name": "Image",
                    "unlisted_choice": {
                        "enabled": True,
                        "display_name": "Custom image",
                        "validation_regex": "^.+:.+$",
                        "validation_message": (
                            "Must be a publicly available docker image, of form <image-name>:<tag>"
                        ),
                        "display_name_in_choices": "Specify an existing docker image",
                        "description_in_choices": (
                            "Use a pre-existing docker image from a public docker registry"
                            " (dockerhub, quay, etc)"
                        ),
                        "kubespawner_override": {"image": "{value}"},
                    },
                    "choices": {
                        "pangeo": {
                            "display_name": "Pangeo Notebook Image",
                            "description": (
                                "Python image with scientific, dask and geospatial tools"
                            ),
                            "kubespawner_override": {"image": first},
                        },
                        "scipy": {
                            "display_name": "Jupyter SciPy Notebook",
                            "slug": "scipy",
                            "kubespawner_override": {"image": second},
                        },
                    },
                }
            },
        }
    ]
