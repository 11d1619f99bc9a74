"""Public names arrive lazily; a package that is not installed is named with the extra that brings it."""

import importlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import paperworks
from paperworks.core import MissingExtra


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Builds ``paperworks.made_up`` from files and imports it; forgets it again."""
    folder = tmp_path / "made_up"

    def build(stub: str, **modules: str):
        folder.mkdir()
        (folder / "__init__.py").write_text(
            "from paperworks.lab.public_api import attach\n__getattr__, __dir__, __all__ = attach(__name__, __file__)\n"
        )
        (folder / "__init__.pyi").write_text(stub)
        for name, source in modules.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(source))
        return importlib.import_module("paperworks.made_up")

    monkeypatch.setattr(paperworks, "__path__", [*paperworks.__path__, str(tmp_path)])
    yield build
    for name in [name for name in sys.modules if name.startswith("paperworks.made_up")]:
        del sys.modules[name]
    vars(paperworks).pop("made_up", None)


def test_names_come_from_the_stub_and_are_imported_on_first_use(package):
    made = package("from .method import answer\nfrom . import other", method="answer = 42", other="here = True")
    assert made.__all__ == ["answer", "other"] == dir(made)
    assert "paperworks.made_up.method" not in sys.modules
    assert made.answer == 42
    assert made.other.here
    assert "answer" in vars(made), "the second use must not go through the import machinery again"


def test_a_function_may_be_named_like_its_module(package):
    made = package("from .mul import mul", mul="def mul(x, y): return x * y")
    importlib.import_module("paperworks.made_up.mul")
    assert made.mul(6, 7) == 42


def test_a_package_that_is_not_installed_is_named_with_the_extra_that_brings_it(package):
    made = package("from .method import run", method="import no_such_package_at_all.part\ndef run(): ...")
    with pytest.raises(MissingExtra) as caught:
        _ = made.run
    assert caught.value.package == "no_such_package_at_all"
    assert str(caught.value) == "made_up needs no_such_package_at_all: pip install 'paperworks[made-up]'"
    assert isinstance(caught.value.__cause__, ModuleNotFoundError), "the import that failed stays in the traceback"


def test_from_import_gets_the_same_error(package):
    package("from .method import run", method="import no_such_package_at_all\ndef run(): ...")
    with pytest.raises(MissingExtra):
        exec("from paperworks.made_up import run", {})


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import paperworks.no_such_module", ModuleNotFoundError),
        ("from .no_such_module import run", ModuleNotFoundError),
        ("from paperworks.core import no_such_name as run", ImportError),
        ("import json.no_such_part", ModuleNotFoundError),
        ("import pytest.no_such_part", ModuleNotFoundError),
        ("run = 1 / 0", ZeroDivisionError),
        ("import math\nrun = math.no_such_function", AttributeError),
    ],
)
def test_a_mistake_that_no_installation_mends_is_raised_as_it_is(package, source, error):
    made = package("from .method import run", method=source)
    with pytest.raises(error) as caught:
        _ = made.run
    assert not isinstance(caught.value, MissingExtra)


def test_an_unknown_name_is_an_attribute_error(package):
    made = package("from .method import run", method="run = 1")
    with pytest.raises(AttributeError, match=r"module 'paperworks.made_up' has no attribute 'rum'"):
        _ = made.rum
    assert not hasattr(made, "rum")


def test_what_lab_lacks_is_asked_for_under_the_papers_own_extra(package):
    made = package(
        "from .method import run",
        method="from paperworks.core import MissingExtra\nraise MissingExtra('lab', 'numpy')",
    )
    with pytest.raises(MissingExtra, match=r"made_up needs numpy: pip install 'paperworks\[made-up\]'"):
        _ = made.run


def test_an_add_on_keeps_its_own_name(package):
    made = package(
        "from .method import run",
        method="from paperworks.core import MissingExtra\nraise MissingExtra('the kernel', 'triton', 'gpu')",
    )
    with pytest.raises(MissingExtra, match=r"the kernel needs triton: pip install 'paperworks\[gpu\]'"):
        _ = made.run


def test_importing_the_lab_brings_nothing_heavy():
    heavy = ["numpy", "torch", "scipy", "matplotlib", "safetensors", "rich", "psutil"]
    code = f"import sys, paperworks.lab; print([m for m in {heavy!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_without_torch_a_paper_says_what_to_install(package, monkeypatch):
    made = package("from .multiply import mul", multiply="import torch\ndef mul(): ...")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"^made_up needs torch: pip install 'paperworks\[made-up\]'$"):
        _ = made.mul
