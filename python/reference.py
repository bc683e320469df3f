#!/usr/bin/env python3
"""Prints the reference part of the guide's page about Python, made of the docstrings of the installed package; with
``--write``, puts it into the page."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

# The installed package, not the sources beside this file, which have no native module.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

import dapple  # noqa: E402
import dapple.ray  # noqa: E402

PAGE = Path(__file__).parent.parent / "docs/guide/src/python.md"
START = "<!-- reference -->"

#: What the reference lists, in this order.
CONTENT = [
    ("Models and predictions", ["load", "Segmenter", "Prediction", "Polygons", "Feature"]),
    ("Trainings", ["train", "Run", "Event"]),
    ("Metrics", ["metrics." + name for name in dapple.metrics.__all__ if name != "BOUNDARY_RATIO"]),
    ("Data", ["data.inspect", "data.convert", "data.Dataset", "Augment"]),
    ("Clusters", ["ray.Predictor"]),
    ("Exceptions", ["Error", "InputError", "InternalError"]),
]


#: Classes whose objects functions make.
MADE = ("Segmenter", "Prediction", "Polygons")


def text_of(docstring: str | None) -> str:
    """A docstring as Markdown: roles become code, doctests blocks of code, tables lists."""
    text = inspect.cleandoc(docstring or "")
    text = re.sub(r":\w+:`~?([^`]+)`", r"``\1``", text)
    text = text.replace("``", "`")
    out, code, table = [], False, False
    for line in text.splitlines():
        if re.fullmatch(r"=+\s+=+", line):
            table = not table
            continue
        if table:
            first, rest = re.match(r"(.*?)(?:\s{2,}(.*))?$", line).groups()
            if first and rest is not None:
                out.append(f"- {first}: {rest}")
            else:
                out[-1] += " " + line.strip()
            continue
        if line.startswith(">>> ") and not code:
            code = True
            out.append("```text")
        elif code and not line.strip():
            code = False
            out.append("```")
        out.append(line)
    if code:
        out.append("```")
    return "\n".join(out)


def entry(path: str) -> list[str]:
    value = dapple
    for part in path.split("."):
        value = getattr(value, part)
    lines = [f"### dapple.{path}", ""]
    if inspect.isclass(value) and issubclass(value, Exception):
        return [*lines, text_of(value.__doc__), ""]
    lines += [*signature(path.rpartition(".")[2], value), text_of(value.__doc__), ""]
    if inspect.isclass(value):
        for name, member in vars(value).items():
            made = getattr(member, "func", member)
            known = inspect.isfunction(made) or isinstance(member, property)
            if name.startswith("_") and name != "__call__" or not known:
                continue
            title = f".{name}" if name != "__call__" else "(...)"
            lines += [f"#### {path.rpartition('.')[2]}{title}", ""]
            if inspect.isfunction(member):
                lines += signature(name.strip("_"), member)
            lines += [text_of(made.__doc__), ""]
    return lines


def signature(name: str, value) -> list[str]:
    """The call, without annotations of types; none where a class only has the signature of a base."""
    try:
        call = inspect.signature(value)
    except (TypeError, ValueError):
        return []
    if inspect.isclass(value) and ("__init__" not in vars(value) or name in MADE):
        return []
    plain = [p.replace(annotation=p.empty) for p in call.parameters.values() if p.name != "self"]
    text = str(call.replace(parameters=plain, return_annotation=call.empty))
    return ["```text", f"{name}{text}", "```", ""]


def reference() -> str:
    lines = [START, ""]
    for title, paths in CONTENT:
        lines += [f"## {title}", ""]
        for path in paths:
            lines += entry(path)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def main() -> None:
    if "--write" in sys.argv[1:]:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(page[: page.index(START)] + reference(), encoding="utf-8")
    else:
        sys.stdout.reconfigure(encoding="utf-8")
        sys.stdout.write(reference())


if __name__ == "__main__":
    main()
