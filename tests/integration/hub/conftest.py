from __future__ import annotations

import pytest

from .hubs import HubProcess


@pytest.fixture
def start_hub(tmp_path):
    """Start a hub with what the test adds to the configuration."""
    hubs = []

    def start(config):
        directory = tmp_path / f"hub-{len(hubs)}"
        directory.mkdir()
        hub = HubProcess(directory, config)
        hubs.append(hub)
        return hub.wait()

    yield start
    for hub in hubs:
        hub.stop()


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub with the stand-in for the service, for tests that change nothing in it."""
    running = HubProcess(tmp_path_factory.mktemp("hub"), "setup_ui(c)\nstand_in(c)\n" + PROFILES)
    try:
        yield running.wait()
    finally:
        running.stop()


PROFILES = """
c.ImageBuilderSpawner.progress_interval = 0.2
c.JupyterHub.concurrent_spawn_limit = 8
c.KubeSpawner.profile_list = [
    {
        "display_name": "Only",
        "slug": "only",
        "profile_options": {
            "image": {
                "display_name": "Image",
                "unlisted_choice": {
                    "enabled": True,
                    "display_name": "Custom image",
                    "validation_regex": "^.+:.+$",
                    "validation_message": "Must be of form <image-name>:<tag>",
                    "display_name_in_choices": "Specify an existing docker image",
                    "kubespawner_override": {"image": "{value}"},
                },
                "choices": {
                    "scipy": {
                        "display_name": "SciPy",
                        "kubespawner_override": {"image": "jupyter/scipy-notebook:2023"},
                    },
                },
            }
        },
    }
]
"""
