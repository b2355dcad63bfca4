"""Write the reference pages that follow from the code: all options, reasons and metrics.

    python tools/reference.py            write docs/reference/{configuration,metrics,reasons}.md
    python tools/reference.py --check    say which of them is out of date, exit code 1

The options are the configurable traits that classes of this package define; the text of a reason is
the ``#:`` comment behind its member in ``errors.py``; a metric is a family of ``metrics.py``.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import pkgutil
import re
import sys
import textwrap
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets
from prometheus_client import CollectorRegistry
from traitlets.config import Configurable

import jupyterhub_imagebuilder
from jupyterhub_imagebuilder import errors, metrics
from jupyterhub_imagebuilder.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = jupyterhub_imagebuilder.__name__
PAGES = Path(__file__).parent.parent / "docs" / "reference"
#: Programs, not modules: they are started, never imported.
PROGRAMS = ("__main__", "entrypoint")
GENERATED = (
    "<!-- Written by tools/reference.py from the code: change the code, not this page. -->\n"
)


def configurables() -> list[type[Configurable]]:
    """All classes of the package that define options, the application first."""
    found: dict[str, type[Configurable]] = {}
    for module in pkgutil.walk_packages(jupyterhub_imagebuilder.__path__, f"{PACKAGE}."):
        if module.name.rpartition(".")[2] in PROGRAMS:
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            ours = inspect.isclass(value) and value.__module__ == module.name
            if ours and issubclass(value, Configurable) and own_traits(value):
                found[name] = value
    classes = found.values()
    # a base that is ours is set through the class that users know
    leaves = [cls for cls in classes if not any(cls in other.__mro__[1:] for other in classes)]
    return sorted(leaves, key=lambda cls: (cls.__module__.count("."), cls.__name__))


def own_traits(cls: type[Configurable]) -> dict[str, traitlets.TraitType[Any, Any]]:
    """Configurable traits that the class, or a base of it in this package, defines."""
    traits = cls.class_traits(config=True)
    return {
        name: trait
        for name, trait in sorted(traits.items())
        if trait.this_class is not None and trait.this_class.__module__.startswith(PACKAGE)
    }


def configuration_page() -> str:
    """``configuration.md``: one section per class, one heading per option."""
    out = [
        GENERATED,
        "# Configuration\n",
        (
            "Options are set on `c`, in the hub's configuration file beside `setup_ui(c)` or, "
            "where the service runs by itself, in its own file.\n"
        ),
    ]
    for cls in configurables():
        out += [f"## {cls.__name__}\n", first_paragraph(cls) + "\n"]
        for name, trait in own_traits(cls).items():
            out += [
                f"### `c.{cls.__name__}.{name}`\n",
                f"*{kind(trait)}*, default: {default(cls, name, trait)}\n",
                help_text(trait) + "\n",
            ]
    return "\n".join(out)


def kind(trait: traitlets.TraitType[Any, Any]) -> str:
    """The option's type, in words that fit behind ``c.Class.option =``."""
    if isinstance(trait, traitlets.Union):
        return " or ".join(kind(part) for part in trait.trait_types)
    if isinstance(trait, traitlets.Enum):
        return "one of " + ", ".join(f"`{value!r}`" for value in trait.values or ())
    inner = getattr(trait, "_trait", None)
    if isinstance(trait, (traitlets.List, traitlets.Set)) and inner is not None:
        return f"{type(trait).__name__.lower()} of {kind(inner)}"
    names = {"Unicode": "string", "Bool": "boolean", "Int": "integer", "Dict": "dictionary"}
    return names.get(type(trait).__name__, type(trait).__name__.lower())


def default(cls: type[Configurable], name: str, trait: traitlets.TraitType[Any, Any]) -> str:
    """The default value, where it is not computed."""
    computed = any(name in vars(c).get("_trait_default_generators", {}) for c in cls.__mro__)
    if computed or trait.default_value is traitlets.Undefined:
        containers = (traitlets.List, traitlets.Dict, traitlets.Set)
        if computed or not isinstance(trait, containers):
            return "computed"
    value = str(trait.default_value_repr())
    return "none" if value in ("''", '""', "None") else f"`{value}`"


def help_text(trait: traitlets.TraitType[Any, Any]) -> str:
    """The option's help as Markdown; reStructuredText's literals become Markdown's."""
    return re.sub(r"``([^`]+)``", r"`\1`", inspect.cleandoc(trait.help)).strip()


def first_paragraph(cls: type[Configurable]) -> str:
    """What the class is, from its docstring."""
    paragraph = inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0]
    paragraph = re.sub(r":\w+:`~?\.?([^`]+)`", r"`\1`", paragraph)
    return textwrap.fill(re.sub(r"``([^`]+)``", r"`\1`", paragraph), 100)


def reasons_page() -> str:
    """``reasons.md``: one row per reason."""
    statuses = {
        value.reason: value.status
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.ImageBuilderError)
    }
    out = [
        GENERATED,
        "# Reasons\n",
        (
            "Every build that fails and every request that is refused carries one of these, "
            "beside a sentence for the user. They are stable: programs may rely on them. Where an "
            "admin looks first is in [](../how-to/when-a-build-fails.md). The status is that of a "
            "refused request; a reason without one ends a build or a server's start.\n"
        ),
        "| reason | what it says | HTTP status |",
        "|---|---|---|",
    ]
    for reason, text in reasons():
        # A build's own end is no answer to a request
        status = statuses.get(reason, "")
        out.append(f"| `{reason.value}` | {text} | {status} |")
    return "\n".join(out) + "\n"


def reasons() -> Iterator[tuple[errors.Reason, str]]:
    """All reasons with the comments behind them; an empty one where there is none."""
    source = inspect.getsource(errors)
    comments = {
        token.start[0]: token.string.removeprefix("#:").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and token.string.startswith("#:")
    }
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and node.name == errors.Reason.__name__:
            for line in node.body:
                if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
                    lines = range(line.lineno, (line.end_lineno or line.lineno) + 1)
                    text = " ".join(comments[number] for number in lines if number in comments)
                    yield errors.Reason[line.targets[0].id], text


def metrics_page() -> str:
    """``metrics.md``: one row per metric."""
    registry = CollectorRegistry()
    metrics.Metrics(registry=registry, clock=SystemClock(), queued=int, viewers=int)
    types = {metric.name: metric.type for metric in registry.collect()}
    out = [
        GENERATED,
        "# Metrics\n",
        (
            "What `GET /metrics` answers with, in Prometheus' text format; how to read it is in "
            "[](../how-to/monitor.md). Beside these it has what prometheus_client knows of the "
            "process: `process_*` and `python_info`. A `reason` is one of [](reasons.md), and "
            "empty where nothing went wrong. The names are stable.\n"
        ),
        "| metric | type | labels | what it says |",
        "|---|---|---|---|",
    ]
    for family in sorted(metrics.FAMILIES):
        type_ = types[family.name]
        # a counter's samples have a suffix that the client adds
        name = family.name + ("_total" if type_ == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in family.labels)
        out.append(f"| `{name}` | {type_} | {labels} | {family.help} |")
    buckets = ", ".join(f"{bound:g}" for bound in metrics.BUCKETS)
    out.append(f"\nThe buckets of the histograms, in seconds: {buckets}.")
    return "\n".join(out) + "\n"


def pages() -> dict[Path, str]:
    """All generated pages with what they have to say."""
    return {
        PAGES / "configuration.md": configuration_page(),
        PAGES / "metrics.md": metrics_page(),
        PAGES / "reasons.md": reasons_page(),
    }


def out_of_date() -> list[Path]:
    """The pages whose file says something else than the code."""
    return [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write the pages, or check them."""
    if arguments == ["--check"]:
        stale = out_of_date()
        for path in stale:
            sys.stderr.write(f"{path} is out of date: run 'make reference'\n")
        return bool(stale)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
