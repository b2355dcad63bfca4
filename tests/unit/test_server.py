from __future__ import annotations

from jupyterhub_imagebuilder.app import ImageBuilder
from jupyterhub_imagebuilder.configuration import ConfigurationError
from jupyterhub_imagebuilder.server import Service

HUB = "https://hub.example.org"


def test_the_hubs_page_is_told_of_a_mistake_in_the_configuration():
    service = Service(ImageBuilder(), ConfigurationError("A setting is wrong."))
    cors = service._cross_origin(HUB)
    assert cors.headers(HUB)["Access-Control-Allow-Origin"] == HUB
    assert "Access-Control-Allow-Origin" not in cors.headers("https://portal.example.org")
