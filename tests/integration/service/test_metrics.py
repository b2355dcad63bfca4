from __future__ import annotations

import json

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

CI = {"Authorization": "Bearer ci-token"}


async def scraped(session, service):
    async with session.get(service.url + "metrics", headers=CI) as response:
        assert response.status == 200, service.log
        text = await response.text()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_build_with_many_viewers_is_counted_once(start, tmp_path):
    service = start()
    await service.until_ready()
    document = json.dumps({"repository": "https://git.example.org/org/repo@main"})
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        async with session.post(service.url + "api/builds", data=document, headers=CI) as response:
            events = f"{service.url}api/builds/{(await response.json())['id']}/events"
        streams = [await session.get(events, headers=CI) for _ in range(20)]
        for stream in streams:
            while b"Step 1/1" not in (line := await stream.content.readline()):
                assert line
        during = await scraped(session, service)
        assert during["imagebuilder_viewers",] == 20
        assert during["imagebuilder_builds_running", "building"] == 1
        (tmp_path / "go").touch()
        for stream in streams:
            await stream.read()
        async with session.post(service.url + "api/builds", data=document, headers=CI) as response:
            assert (await response.json())["phase"] == "built"
        after = await scraped(session, service)
    assert after["imagebuilder_viewers",] == 0
    assert after["imagebuilder_builds_running", "building"] == 0
    assert after["imagebuilder_builds_total", "built", ""] == 1
    assert after["imagebuilder_build_duration_seconds_count", "built"] == 1
    assert after["imagebuilder_phase_duration_seconds_count", "building"] == 1
    assert after["imagebuilder_requests_total", "started", ""] == 1
    assert after["imagebuilder_requests_total", "found", ""] == 1
    assert after["process_resident_memory_bytes",] > 1_000_000


async def test_metrics_need_a_token_unless_the_admin_says_otherwise(start, settings):
    async with aiohttp.ClientSession() as session:
        closed = start()
        await closed.until_ready()
        async with session.get(closed.url + "metrics") as response:
            assert response.status == 401
        await closed.end()
        settings["ImageBuilder"]["authenticate_metrics"] = False
        opened = start()
        await opened.until_ready()
        async with session.get(opened.url + "metrics") as response:
            assert response.status == 200
            assert "imagebuilder_builds_total" in await response.text()
