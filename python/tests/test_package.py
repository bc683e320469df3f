"""The package as a whole: its versions, its types, its documentation."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dapple
from dapple import _native

HERE = Path(__file__).parent.parent
ROOT = HERE.parent


def table(path: Path):
    tomllib = pytest.importorskip("tomllib")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_versions_are_those_of_the_workspace():
    workspace = table(ROOT / "Cargo.toml")["workspace"]
    package = table(HERE / "Cargo.toml")
    assert package["package"]["version"] == workspace["package"]["version"] == dapple.__version__
    assert package["package"]["rust-version"] == workspace["package"]["rust-version"]
    assert package["profile"]["release"] == table(ROOT / "Cargo.toml")["profile"]["release"]


def test_the_lock_files_agree():
    def versions(path):
        return {(entry["name"], entry["version"]) for entry in table(path)["package"]}

    ours, others = versions(HERE / "Cargo.lock"), versions(ROOT / "Cargo.lock")
    shared = {name for name, _ in ours} & {name for name, _ in others}
    odd = sorted(entry for entry in ours - others if entry[0] in shared)
    assert not odd, f"take these as in the workspace's Cargo.lock: {odd}"


def test_the_stubs_are_those_of_the_native_module():
    stubs = ast.parse((Path(dapple.__file__).parent / "_native.pyi").read_text(encoding="utf-8"))
    told = {node.name: node for node in stubs.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    real = {name for name in dir(_native) if not name.startswith("_")}
    assert set(told) == real
    for name, node in told.items():
        if isinstance(node, ast.ClassDef):
            methods = {part.name for part in node.body if isinstance(part, ast.FunctionDef)} - {"__init__"}
            assert methods == {name for name in vars(getattr(_native, name)) if not name.startswith("_")}, name
    assert (Path(dapple.__file__).parent / "py.typed").is_file()


def public():
    """All public functions, classes and methods, with their names."""
    for module in (dapple, dapple.metrics, dapple.data):
        yield module.__name__, module
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value) or inspect.isclass(value):
                yield f"{module.__name__}.{name}", value
                members = vars(value).items() if inspect.isclass(value) else ()
                yield from (
                    (f"{module.__name__}.{name}.{member}", made)
                    for member, made in members
                    if not member.startswith("_") and (inspect.isfunction(made) or isinstance(made, property))
                )


def test_everything_public_is_documented():
    missing = [name for name, value in public() if not (value.__doc__ or "").strip()]
    assert not missing


def test_everything_public_has_types():
    for name, value in public():
        if inspect.isfunction(value):
            hints = inspect.signature(value)
            parameters = [p for p in hints.parameters.values() if p.name != "self"]
            assert all(p.annotation is not p.empty for p in parameters), name
            assert hints.return_annotation is not hints.empty, name


def test_the_module_has_the_stable_interface():
    if sys.platform != "win32":
        assert ".abi3." in Path(_native.__file__).name


def test_the_page_of_the_guide_is_that_of_the_docstrings():
    made = subprocess.run([sys.executable, HERE / "reference.py"], capture_output=True, text=True, encoding="utf-8", check=True)
    page = (ROOT / "docs/guide/src/python.md").read_text(encoding="utf-8")
    assert made.stdout == page[page.index("<!-- reference -->") :], "run python/reference.py --write"


def blocks(path: Path):
    """The blocks of Python in a page, those left out that need other programs."""
    text = path.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", ["README.md", "python/README.md", "docs/guide/src/python.md"])
def test_examples_of_a_page_run(page, discs, tmp_path, monkeypatch):
    import shutil

    from conftest import SHORT, picture

    from PIL import Image

    shutil.copytree(discs, tmp_path / "horses")
    shutil.copytree(discs / "images", tmp_path / "photos")
    Image.fromarray(picture()).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    # Trainings of seconds: what a page says, but small.
    train = dapple.train
    short = {name: value for name, value in SHORT.items() if name != "recipe"}
    monkeypatch.setattr(
        dapple,
        "train",
        lambda *data, **settings: train(*data, **({**settings} if "resume" in settings else {**settings, **short, "recipe": "plain", "force": True})),
    )
    found = blocks(ROOT / page)
    assert found, page
    names: dict = {"__name__": "page"}
    for block in found:
        exec(compile(block, page, "exec"), names)  # noqa: S102
