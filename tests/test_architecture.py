"""What keeps the package's shape: who imports whom, how large files are, what errors mean."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jupyterhub_imagebuilder import errors

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "jupyterhub_imagebuilder"
MODULES = sorted(PACKAGE.rglob("*.py"))
#: A file of more lines does not fit into a reader's head; most have less than half of it.
LINE_LIMIT = 400


def module_name(path):
    return str(path.relative_to(ROOT))


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def error_classes():
    return [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.ImageBuilderError)
    ]


def test_import_contracts_hold():
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_importing_the_package_loads_no_library():
    # jupyterhub_config.py imports it in the hub: what it loads, every hub pays for.
    code = "import sys, jupyterhub_imagebuilder; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert "jupyterhub_imagebuilder" in loaded
    assert not loaded & {"tornado", "kubernetes_asyncio", "aiohttp", "sqlalchemy", "kubespawner"}


def test_kubernetes_client_is_imported_in_one_file():
    users = [
        module_name(path)
        for path in MODULES
        if any(name.partition(".")[0] == "kubernetes_asyncio" for name in imported(path))
    ]
    assert users == ["jupyterhub_imagebuilder/executors/kubernetes/client.py"]


def test_hub_side_serves_and_fetches_nothing_through_tornado():
    # The hub's shared client holds ten connections; builds' streams must not wait for those.
    foreign = {"tornado.httpserver", "tornado.httpclient", "tornado.simple_httpclient"}
    users = [
        module_name(path)
        for path in MODULES
        if path.is_relative_to(PACKAGE / "hub") and foreign & set(imported(path))
    ]
    assert users == []


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_module_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINE_LIMIT


def test_each_folder_of_the_package_is_a_package():
    folders = {path.parent for path in MODULES}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_each_error_has_a_reason_of_its_own():
    reasons = [cls.reason for cls in error_classes()]
    assert sorted(set(reasons)) == sorted(reasons)


def test_each_error_is_drawn_in_the_tree():
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__))
    names = {cls.__name__ for cls in error_classes()} - {"ImageBuilderError"}
    assert drawn == names


def test_reasons_are_codes():
    assert [
        reason for reason in errors.Reason if not re.fullmatch(r"[a-z]+(-[a-z]+)*", reason)
    ] == []
