from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.web.hub_site import HubSite, hub_site

HUB = {
    "JUPYTERHUB_API_URL": "http://127.0.0.1:8081/hub/api",
    "JUPYTERHUB_API_TOKEN": "own",
    "JUPYTERHUB_CLIENT_ID": "service-imagebuilder",
}


@pytest.mark.parametrize(
    ("host", "base", "site"),
    [
        ("", "/", HubSite("/hub/")),
        ("", "/base/", HubSite("/base/hub/")),
        (None, None, HubSite("/hub/")),
        (
            "https://Hub.example.org:8443",
            "/",
            HubSite("https://hub.example.org:8443/hub/", "https://hub.example.org:8443"),
        ),
        ("http://hub.test/", "/b/c", HubSite("http://hub.test/b/c/hub/", "http://hub.test")),
        # goes into a header
        ("https://hub; script-src *", "/", HubSite("https://hub/hub/", "https://hub")),
        ("javascript:x", "/", HubSite("/hub/")),
    ],
)
def test_where_a_browser_finds_the_hub(host, base, site):
    given = {"JUPYTERHUB_HOST": host, "JUPYTERHUB_BASE_URL": base}
    assert hub_site(HUB | {name: value for name, value in given.items() if value}) == site


@pytest.mark.parametrize("missing", sorted(HUB))
def test_no_hub_no_site(missing):
    assert hub_site(HUB | {missing: ""}) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/base/user/ada/", True),
        ("/base/user/ada%40example.org/second/", True),
        ("/base/user/", False),
        ("/base/user/ada", False),
        ("/user/ada/", False),
        ("/base/user/../hub/", False),
        ("/base/user/%2e%2e/hub/", False),
        ("/base/user/ada//evil.test/", False),
        ("/base/user/ada/\\\\evil.test/", False),
        ("https://evil.test/base/user/ada/", False),
        ("//evil.test/base/user/ada/", False),
    ],
)
def test_whose_server_a_path_means(path, expected):
    assert HubSite("/base/hub/").has_server(path) is expected


def test_on_another_host_no_path_is_a_servers():
    assert not HubSite("https://hub.test/hub/", "https://hub.test").has_server("/user/ada/")
