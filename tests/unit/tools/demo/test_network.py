from __future__ import annotations

import json
from ipaddress import IPv4Network

import pytest

from tools.demo import network
from tools.demo.state import Unusable

RULES = """-P FORWARD ACCEPT
-N DOCKER
-A FORWARD -j DOCKER-USER
-A FORWARD -i ibdemo1 -m comment --comment "jupyterhub-imagebuilder-demo ibdemo1" -j ACCEPT
-A FORWARD -i ibdemo12 -m comment --comment "jupyterhub-imagebuilder-demo ibdemo12" -j ACCEPT
-A DOCKER -d 172.31.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 8888 -j ACCEPT
"""


def test_only_rules_with_the_bridges_own_mark_are_removed():
    mark = "jupyterhub-imagebuilder-demo ibdemo1"
    assert network.marked(RULES, "ibdemo1") == [
        ["FORWARD", "-i", "ibdemo1", "-m", "comment", "--comment", mark, "-j", "ACCEPT"]
    ]


def test_every_rule_that_is_made_is_found_again():
    net = network.Network("ibdemo1", IPv4Network("172.30.4.0/24"))
    for _, words in net.rules():
        listed = "-A " + " ".join(f'"{word}"' if " " in word else word for word in words)
        assert network.marked(listed, "ibdemo1") == [words]


def test_the_host_is_open_to_containers_at_the_bridges_address_alone():
    net = network.Network("ibdemo1", IPv4Network("172.30.4.0/24"))
    (inward,) = [words for _, words in net.rules() if words[0] == "INPUT"]
    assert inward[:5] == ["INPUT", "-i", "ibdemo1", "-d", "172.30.4.1"]


def test_a_subnet_is_one_that_nothing_leads_to():
    taken = [IPv4Network("172.30.0.0/23"), IPv4Network("10.0.0.0/8")]
    assert network.choose(taken) == IPv4Network("172.30.2.0/24")


def test_the_last_subnet_is_kept_while_it_is_free():
    assert network.choose([], "172.30.9.0/24") == IPv4Network("172.30.9.0/24")
    taken = [IPv4Network("172.30.9.128/25")]
    assert network.choose(taken, "172.30.9.0/24") == IPv4Network("172.30.0.0/24")


def test_where_all_is_taken_the_message_says_so():
    with pytest.raises(Unusable, match="in use"):
        network.choose([IPv4Network("172.16.0.0/12")])


def test_the_default_route_leads_everywhere_and_takes_nothing():
    routes = [
        {"dst": "default", "gateway": "192.0.2.1"},
        {"dst": "172.17.0.0/16", "dev": "docker0"},
        {"type": "local", "dst": "172.17.0.1", "dev": "docker0"},
        {"dst": "0.0.0.0/0"},
    ]
    assert network.parse_routes(json.dumps(routes)) == [
        IPv4Network("172.17.0.0/16"),
        IPv4Network("172.17.0.1/32"),
    ]
    assert network.parse_routes("") == []
