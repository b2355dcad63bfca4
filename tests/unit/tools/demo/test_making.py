from __future__ import annotations

import pytest

from tools.demo import making
from tools.demo.state import Unusable

DEBIAN = {"ID": "debian", "VERSION_CODENAME": "trixie"}
UBUNTU = {"ID": "ubuntu", "VERSION_CODENAME": "noble"}


def test_a_root_comes_from_the_machines_own_mirrors():
    key = "/usr/share/keyrings/debian-archive-keyring.pgp"
    targets = (
        f"trixie|main|http://mirror.example/debian/|Debian|{key}\n"
        f"trixie|contrib|http://mirror.example/debian/|Debian|{key}\n"
        f"trixie-security|main|http://mirror.example/security/|Debian|{key}\n"
        "trixie|stable|https://download.docker.com/linux/debian/|Docker|/etc/k.asc\n"
        "trixie|main|https://dl.example/|Somebody|/etc/k.asc\n"
    )
    assert making.sources(targets, DEBIAN) == [
        f"deb [signed-by={key}] http://mirror.example/debian/ trixie main",
        f"deb [signed-by={key}] http://mirror.example/security/ trixie-security main",
    ]


def test_components_of_one_suite_make_one_line():
    targets = (
        "noble|main|http://m.example/ubuntu/|Ubuntu|$(SIGNED_BY)\n"
        "noble|universe|http://m.example/ubuntu/|Ubuntu|$(SIGNED_BY)\n"
    )
    assert making.sources(targets, UBUNTU) == ["deb http://m.example/ubuntu/ noble main universe"]


def test_lists_that_were_never_fetched_name_no_origin():
    targets = "trixie|main|http://m.example/|$(ORIGIN)|$(SIGNED_BY)\n"
    assert making.sources(targets, DEBIAN) == ["deb http://m.example/ trixie main"]


@pytest.mark.parametrize(
    ("targets", "release"),
    [
        ("", UBUNTU),
        ("", {"ID": "fedora"}),
        ("trixie|main|http://m.example/|Debian|$(SIGNED_BY)\n", UBUNTU),
    ],
)
def test_without_a_mirror_of_its_release_one_is_told_what_to_do(targets, release):
    with pytest.raises(Unusable, match=r"quay\.io"):
        making.sources(targets, release)


def test_of_apts_settings_only_the_way_to_a_mirror_is_taken():
    settings = (
        'APT::Architecture "amd64";\nAcquire::http::Proxy "http://p.example:3128";\n'
        'Acquire::https::CaInfo "/etc/company.crt";\nAcquire::Retries "3";\n'
    )
    assert making.reaching(settings) == [
        'Acquire::http::Proxy "http://p.example:3128";',
        'Acquire::https::CaInfo "/etc/company.crt";',
    ]


@pytest.mark.parametrize(
    ("available", "version", "packages"),
    [
        (set(), "2024.7.0", '"git"]'),
        ({"docker-buildx"}, "2026.4.0", '"git", "docker-buildx", "docker.io"]'),
        ({"docker-buildx", "docker-cli"}, "2026.4.0", '"git", "docker-buildx", "docker-cli"]'),
    ],
)
def test_repo2docker_fits_what_the_release_has_to_build_with(available, version, packages):
    recipe = "\n".join(making.build_recipe(available))
    assert f"jupyter-repo2docker=={version}" in recipe
    assert packages in recipe


def test_no_step_needs_a_shell():
    steps = [*making.base_recipe(), *making.build_recipe(set())]
    run = [step for step in steps if step.startswith("RUN")]
    assert run
    assert all(step.startswith('RUN ["') for step in run)
