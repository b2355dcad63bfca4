"""The API is what its description says, whatever is sent to it: a bounded number of examples."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import subprocess
import sys

import pytest

#: Examples of each operation, always the same ones.
EXAMPLES, SEED = 20, 7
#: Seconds for all of them.
LIMIT = 240
CONFIG = """
[checks]
# a text can be no repository although it is text
positive_data_acceptance.enabled = false
# there is none but Authorization, which ignored_auth is about
missing_required_header.enabled = false

# BinderHub's clients read a refusal from the stream of events
[[operations]]
include-path = "/build/{provider}/{spec}"
checks.ignored_auth.enabled = false
"""


@pytest.mark.timeout(LIMIT + 30)
async def test_it_keeps_to_its_description(start, settings, tmp_path):
    if importlib.util.find_spec("schemathesis") is None:
        pytest.skip("schemathesis is not installed: see the extra 'test'")
    settings["ImageBuilder"]["provider_classes"] = ["fuzzing.PickyProvider"]
    (tmp_path / "go").touch()  # builds end at once
    service = start(json.dumps(settings))
    await service.until_ready()
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
        f"{service.url}api/openapi.json",
        *("--url", service.url.rstrip("/"), "--header", "Authorization: Bearer ci-token"),
        # it never ends
        *("--exclude-path", "/api/changes"),
        *("--max-examples", str(EXAMPLES), "--seed", str(SEED), "--generation-database", "none"),
        *("--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure", "--no-color"),
    ]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]
    tested = re.search(r"(\d+) generated", done.stdout)
    assert tested is not None, done.stdout
    assert int(tested[1]) > 100
    assert "Traceback" not in service.log
    assert "ci-token" not in service.log
