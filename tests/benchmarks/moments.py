"""P6, P7 and P10: single moments of one build, and a service that has nothing to do."""

# ruff: noqa: ASYNC240 -- what would stand still meanwhile is not what is measured

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import aiohttp

from tests.benchmarks.bench import HEADERS, Row, Service, Stage, events, requests
from tests.benchmarks.machine import percentile

TIMES = 30
CROWD = 500


async def push_to_ready(stage: Stage) -> AsyncIterator[Row]:
    """P6: from the end of the push to the image's announcement; the registry is a scripted one."""
    service = await stage.service(rate=20.0, lines=30, tail=5.0)
    ids = await requests(service, [f"pushed-{number}" for number in range(TIMES)], at_once=1)
    watching = await stage.watch(service, [events(build) for build in ids])
    seen = await watching.seen()
    waited = [(one.ended - one.lines[-2]) / 1000 for one in seen if one.end == "built"]
    p50, worst = percentile(waited, 0.5), max(waited)
    yield Row(
        "P6",
        f"{TIMES} builds, scripted registry",
        f"p50 {p50:.1f} ms, worst {worst:.1f} ms; {len(waited)} of {TIMES} built",
        "< 200 ms",
        {"p50_ms": p50, "worst_ms": worst, "built": len(waited)},
    )


async def request_to_line(stage: Stage) -> AsyncIterator[Row]:
    """P7: from the request to the first line; builds that start at once show our own part."""
    service = await stage.service(rate=20.0, lines=600)
    alone = await _first_lines(service, "alone")
    yield _first_line_row("a build that starts at once", alone, "")
    (build,) = await requests(service, ["watched"])
    await stage.watch(service, [events(build)] * CROWD)
    meanwhile = await _first_lines(service, "meanwhile")
    service.end()
    yield _first_line_row(f"while {CROWD} watch another", meanwhile, "< 20 ms late")


def _first_line_row(load: str, waited: list[float], aim: str) -> Row:
    p50, worst = percentile(waited, 0.5), max(waited)
    figure = f"p50 {p50:.1f} ms, worst {worst:.1f} ms"
    return Row("P7", load, figure, aim, {"p50_ms": p50, "worst_ms": worst})


async def _first_lines(service: Service, name: str) -> list[float]:
    """Milliseconds until each of several builds has shown its first line."""
    waited = []
    for number in range(TIMES):
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            waited.append(await first_line(session, service, f"https://x.example/{name}-{number}"))
    return waited


async def first_line(
    session: aiohttp.ClientSession, service: Service, repository: str, ref: str = "main"
) -> float:
    """Milliseconds from a request in BinderHub's way to the first line of the log."""
    spec = quote(repository, safe="") + "/" + ref
    began = time.monotonic()
    # not by yarl, which would undo the escapes
    url = f"{service.url}build/git/{spec}"
    async with session.get(_as_it_is(url)) as stream:
        async for line in stream.content:
            if b"data: " in line and b'"message": "@0 ' in line:
                return (time.monotonic() - began) * 1000
    raise AssertionError(service.words())


def _as_it_is(url: str):
    from yarl import URL

    return URL(url, encoded=True)


async def idle(stage: Stage) -> AsyncIterator[Row]:
    """P10: a service with its real adapters and nothing to do."""
    nowhere = stage.folder / "kubeconfig"
    nowhere.write_text(
        json.dumps(
            {
                "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:1"}}],
                "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                "users": [{"name": "x", "user": {}}],
                "current-context": "x",
            }
        )
    )
    service = stage.prepared(
        {
            "ImageBuilder": {
                "executor_class": "jupyterhub_imagebuilder.executors.kubernetes.executor."
                "KubernetesExecutor",
                "provider_classes": [
                    "jupyterhub_imagebuilder.providers.github.GitHubProvider",
                    "jupyterhub_imagebuilder.providers.git.GitProvider",
                ],
            },
            "KubernetesExecutor": {"kubeconfig": str(nowhere)},
        }
    )
    service.begin()
    answered = await service.answers()
    await asyncio.sleep(5)
    before = service.cost()
    await asyncio.sleep(10)
    after = service.cost()
    files = len(list(Path("/proc", str(service.pid), "fd").iterdir()))
    service.end()
    yield Row(
        "P10",
        "Kubernetes away, no build",
        f"{after.rss / 1024:.0f} MiB, {after.threads} threads, {files} descriptors,"
        f" {after.cores(before) * 100:.1f} % of a core; answers after {answered:.2f} s",
        "",
        {"rss_kib": after.rss, "threads": after.threads, "answers_s": answered},
    )
