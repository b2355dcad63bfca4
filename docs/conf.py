"""Sphinx's configuration: `make docs` builds the pages, warnings are errors."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jupyterhub_imagebuilder import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "jupyterhub-imagebuilder"
author = "jupyterhub-imagebuilder contributors"
project_copyright = f"{datetime.now(tz=UTC).year}, {author}"
version = release = __version__

extensions = ["myst_parser", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
# Headings can be linked to, down to one option of the configuration
myst_heading_anchors = 3
# `$` of shell examples is no part of what is copied
copybutton_prompt_text = "$ "

html_theme = "sphinx_book_theme"
html_title = "jupyterhub-imagebuilder"
html_theme_options = {"show_toc_level": 2}


def setup(app: Sphinx) -> None:
    """Let pages link to Markdown files of the repository that are no pages."""
    app.connect("source-read", _link_files_outside)


def _link_files_outside(_app: Sphinx, _page: str, source: list[str]) -> None:
    # MyST takes a link to any .md for one to a page; as a path it becomes a download
    source[0] = re.sub(r"\]\((\.\./\.\./[^)#]+\.md)\)", r"](<path:\1>)", source[0])
