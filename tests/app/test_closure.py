"""What a module stands on, read from the source: every kind of import that the package uses, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import paperworks
from paperworks.app.closure import closure

PACKAGE = Path(paperworks.__file__).parent

Closure = Callable[..., set[str]]


@pytest.fixture
def of(tmp_path: Path) -> Closure:
    """The closure of ``roots`` in a package with these files, as paths below it."""

    def find(files: Mapping[str, str], *roots: str) -> set[str]:
        package = tmp_path / "paperworks"
        for name, text in ({"__init__.py": "", "fake/__init__.py": "", "lab/__init__.py": ""} | dict(files)).items():
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            (package / name).write_text(text)
        return {file.relative_to(package).as_posix() for file in closure(package, roots or ("fake.a",))}

    return find


@pytest.mark.parametrize(
    "statement",
    [
        "from .b import x",
        "from . import b",
        "from .b import *",
        "import paperworks.fake.b",
        "import paperworks.fake.b as c, os",
        "from paperworks.fake import b",
        "from paperworks.fake.b import x",
        "def later():\n    from .b import x",
        "if False:\n    from . import b as c",
        "import importlib\nimportlib.import_module('.b', __package__)",
        "import importlib\nimportlib.import_module('paperworks.fake.b')",
    ],
)
def test_every_way_to_import_is_seen(of: Closure, statement: str) -> None:
    found = of({"fake/a.py": statement, "fake/b.py": "x = 1", "fake/unused.py": ""})
    assert found == {"__init__.py", "fake/__init__.py", "fake/a.py", "fake/b.py"}


def test_what_is_imported_is_followed_round_a_circle_and_into_other_folders(of: Closure) -> None:
    found = of(
        {
            "fake/a.py": "from ..lab.stats import mean",
            "lab/stats.py": "from . import values",
            "lab/values.py": "from .stats import mean",
        }
    )
    assert found == {"__init__.py", "fake/__init__.py", "fake/a.py"} | {
        f"lab/{name}.py" for name in ("__init__", "stats", "values")
    }


def test_the_public_names_of_a_lazy_package_count(of: Closure) -> None:
    found = of({"fake/a.py": "", "fake/__init__.pyi": "from .method import x as x", "fake/method.py": "x = 1"})
    assert {"fake/__init__.pyi", "fake/method.py"} <= found


def test_the_rest_of_the_world_is_left_out(of: Closure) -> None:
    assert of({"fake/a.py": "import numpy.linalg\nfrom os import path\nimport paperworksother"}) == {
        "__init__.py",
        "fake/__init__.py",
        "fake/a.py",
    }


@pytest.mark.parametrize("text", ["def run(:", "x = '\0'"], ids=["no Python", "a null byte"])
def test_what_is_no_python_counts_and_imports_nothing(of: Closure, text: str) -> None:
    assert "fake/a.py" in of({"fake/a.py": text})


def test_a_root_without_a_file_is_passed_over(of: Closure) -> None:
    assert of({}, "fake.absent") == {"__init__.py", "fake/__init__.py"}


def test_lab_and_papers_import_nothing_of_ours_by_a_computed_name() -> None:
    for file in PACKAGE.rglob("*.py"):
        if file.relative_to(PACKAGE).parts[0] in {"app", "core"}:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
                name = node.args[0]
                begins = name.values[0] if isinstance(name, ast.JoinedStr) else name
                assert isinstance(begins, ast.Constant), f"{file}:{node.lineno}"
                assert name is begins or not begins.value.startswith((".", "paperworks")), f"{file}:{node.lineno}"
