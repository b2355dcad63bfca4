"""The documentation says what the code does: nothing stale, nothing missing, no dead link."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from jupyterhub_imagebuilder.errors import Reason

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PACKAGE = ROOT / "jupyterhub_imagebuilder"
SKIPPED_FOLDERS = {".git", "node_modules", "_build", "build", "dist"}
#: `[text](target)` and `[](target)`, images too
LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)")
OPTION = re.compile(r"\bc\.([A-Z]\w+)\.([a-z]\w*)")
FENCE = re.compile(r"^(```+|~~~+).*?^\1", re.MULTILINE | re.DOTALL)

PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(
        part in SKIPPED_FOLDERS or part.startswith(".venv") for part in path.relative_to(ROOT).parts
    )
)


def page_name(path):
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module")
def reference():
    """The generator, which is a script and no package."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_up_to_date(reference):
    assert reference.out_of_date() == [], "run 'make reference'"


def test_all_our_options_are_found(reference):
    names = {cls.__name__ for cls in reference.configurables()}
    assert names >= {"ImageBuilder", "KubernetesExecutor", "GitProvider", "GitHubProvider"}


def test_each_option_has_help(reference):
    silent = [
        f"{cls.__name__}.{name}"
        for cls in reference.configurables()
        for name, trait in reference.own_traits(cls).items()
        if not reference.help_text(trait)
    ]
    assert silent == []


def test_options_that_are_written_about_exist(reference):
    options = {cls.__name__: set(reference.own_traits(cls)) for cls in reference.configurables()}
    texts = [*PAGES, *ROOT.glob("helm-values/**/*.yaml"), *ROOT.glob("helm-values/**/NOTES.txt")]
    texts.append(ROOT / "setup_ui_example.py")
    unknown = {
        (page_name(path), f"c.{name}.{option}")
        for path in texts
        for name, option in OPTION.findall(path.read_text(encoding="utf-8"))
        if name in options and option not in options[name]
    }
    assert unknown == set()


def test_each_reason_has_its_text(reference):
    texts = dict(reference.reasons())
    assert texts.keys() == set(Reason)
    assert [reason for reason, text in texts.items() if not text] == []


def test_each_reason_says_what_an_admin_can_do():
    page = (DOCS / "how-to" / "when-a-build-fails.md").read_text(encoding="utf-8")
    assert [reason.value for reason in Reason if f"`{reason.value}`" not in page] == []


def anchors(path):
    """What a link behind ``#`` can name: GitHub's slugs of the headings, which MyST uses too."""
    headings = re.findall(
        r"^#+ (.+)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE
    )
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


def is_dead(path, target):
    name, _, anchor = target.partition("#")
    page = path.parent / name if name else path
    if not page.exists():
        return True
    return bool(anchor) and page.suffix == ".md" and anchor not in anchors(page)


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_links_lead_somewhere(path):
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    targets = [target for target in LINK.findall(text) if not re.match(r"[a-z]+:", target)]
    assert [target for target in targets if is_dead(path, target)] == []


def test_the_map_of_the_code_names_files_that_exist():
    page = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z0-9_/]+\.py)`", page))
    assert len(named) > 20
    assert {name for name in named if not (PACKAGE / name).is_file()} == set()


def test_each_page_is_in_the_table_of_contents():
    listed = set()
    for index in DOCS.rglob("index.md"):
        for block in re.findall(r"```\{toctree\}\n(.*?)```", index.read_text("utf-8"), re.DOTALL):
            names = [line.strip() for line in block.splitlines() if line and line[0] != ":"]
            listed |= {(index.parent / name).resolve().with_suffix(".md") for name in names}
    pages = {path for path in PAGES if path.is_relative_to(DOCS)} - {DOCS / "index.md"}
    assert {page_name(path) for path in pages - listed} == set()


def test_changelog_is_ready_for_the_next_change():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[0].strip("[]") == "Unreleased"
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
