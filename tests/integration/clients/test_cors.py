from __future__ import annotations

import aiohttp

PORTAL = "https://portal.example.org"
ASKED = {
    "Origin": PORTAL,
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "authorization",
}


async def test_a_page_of_an_origin_that_the_admin_named(start, settings):
    settings["CrossOrigin"] = {"allowed_origins": [PORTAL]}
    service = start()
    await service.until_ready()
    url = service.url + "build/git/https%3A%2F%2Fgit.example.org%2Forg%2Frepo/absent"
    async with aiohttp.ClientSession() as session:
        async with session.options(url, headers=ASKED) as response:
            assert response.status == 204
            assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
        async with session.get(url, headers={"Origin": PORTAL}) as response:
            assert response.headers["Access-Control-Allow-Origin"] == PORTAL
            assert "authentication-required" in await response.text()


async def test_a_mistake_in_an_origin_is_one_sentence(start, settings):
    settings["CrossOrigin"] = {"allowed_origins": ["portal.example.org"]}
    service = start()
    assert await service.exit_code() == 1
    assert "c.CrossOrigin.allowed_origins has 'portal.example.org'" in service.log
    assert "Traceback" not in service.log


async def test_a_misspelt_option_is_found_at_the_start(start, settings):
    settings["CrossOrigin"] = {"allowed_origin": [PORTAL]}
    service = start()
    assert await service.exit_code() == 1
    assert "There is no option c.CrossOrigin.allowed_origin; did you mean" in service.log
