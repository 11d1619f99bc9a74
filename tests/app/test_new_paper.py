"""``paperworks new``: the paper made by one command runs, passes its tests, and is in the lists, docs and report."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from paperworks.app import new_paper
from paperworks.core import UserError

ROOT = Path(__file__).resolve().parents[2]
LISTS = ("pyproject.toml", "mkdocs.yml", "CITATION.cff", "CHANGELOG.md")
TITLE = 'On "Two" Words: ' + "a title that is much too long to stand on one line of a source file, " * 2
AUTHORS = ("Ünal Ö'Neil", 'A. "Bob" C')
GIST = 'It says "so" \\ and more.'


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, make_house: Any) -> Any:
    """A source tree without papers, to which one was added."""
    root = tmp_path_factory.mktemp("tree")
    for name in (*LISTS, "conftest.py"):
        shutil.copy(ROOT / name, root)
    (root / "README.md").write_text("<!-- generated: papers -->\n<!-- /generated -->\n")
    (root / "src").mkdir()
    house = make_house(root / "src")
    authors = [part for author in AUTHORS for part in ("--author", author)]
    house.made = house.call(
        "new", "Two-Words", "--arxiv", "2410.01234", "--title", TITLE, "--field", "testing", "--gist", GIST, *authors
    )
    house.tree = root
    return house


def run(tree: Any, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=tree.tree, env=tree.environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_says_what_it_wrote_and_what_comes_next(tree: Any) -> None:
    assert (tree.made.code, tree.made.err) == (0, "")
    *written, blank, last = tree.made.out.splitlines()
    assert set(LISTS) < set(written)
    assert "src/paperworks/two_words/paper.py" in written
    assert all((tree.tree / name).is_file() for name in written)
    assert (blank, last.partition(":")[0]) == ("", "next")


def test_it_is_a_paper_with_the_words_that_were_given(tree: Any) -> None:
    about = tree.call("show", "two-words", "--json").json
    assert (about["title"], tuple(about["authors"]), about["gist"]) == (TITLE, AUTHORS, GIST)


def test_it_runs_its_claims_are_untested_and_the_report_shows_it(tree: Any) -> None:
    ran = tree.call("run", "--preset", "quick", "--json")
    assert ran.code == 0
    assert [claim["verdict"] for claim in ran.of("two_words")["claims"]] == ["untested"]
    assert "two-words.html" in Path(ran.json["report"]).read_text()
    assert "nothing measures it yet" in Path(ran.json["report"]).with_name("two-words.html").read_text()


def test_its_own_tests_pass(tree: Any) -> None:
    assert "3 passed" in run(tree, "pytest", "tests/two_words", "-o", "addopts=", "-p", "no:cacheprovider")


def test_what_it_wrote_is_in_the_style_of_the_house(tree: Any) -> None:
    where = ("--no-cache", "src/paperworks/two_words", "tests/two_words")
    assert "All checks passed" in run(tree, "ruff", "check", *where)
    assert "already formatted" in run(tree, "ruff", "format", "--check", *where)


def test_it_stands_in_every_list(tree: Any) -> None:
    project = tomllib.loads((tree.tree / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    assert extras["two-words"] == ["paperworks[lab]"]
    assert "two-words" in extras["all"][0]
    layers, forbidden = project["tool"]["importlinter"]["contracts"]
    assert layers["layers"][1].endswith(" | paperworks.two_words")
    assert forbidden["forbidden_modules"][-1] == "paperworks.two_words"
    reference = yaml.safe_load((tree.tree / "CITATION.cff").read_text())["references"][-1]
    assert (reference["title"], reference["notes"]) == (TITLE, "paperworks.two_words")
    assert [author["name"] for author in reference["authors"]] == list(AUTHORS)
    assert yaml.safe_load((tree.tree / "mkdocs.yml").read_text())["nav"][-1]["Papers"][-1] == {
        TITLE: "papers/two_words.md"
    }
    assert "(arXiv 2410.01234), `paperworks.two_words`" in (tree.tree / "CHANGELOG.md").read_text()


def test_the_tables_know_it(tree: Any) -> None:
    assert run(tree, "paperworks.app.tables", "--check", ".") == ""
    assert "| – 1 untested |" in (tree.tree / "README.md").read_text()
    assert "| – untested |" in (tree.tree / "docs" / "papers" / "two_words.md").read_text()


@pytest.mark.parametrize(
    ("slug", "arxiv", "says"),
    [
        ("two-words", "2410.01234", "exists already: choose another slug"),
        ("show", "2410.01234", "'show' means something else here already"),
        ("core", "2410.01234", "'core' means something else here already"),
        ("lambda", "2410.01234", "'lambda' means something else here already"),
        ("2fast", "2410.01234", "a slug is lower-case words joined by '_'"),
        ("../up", "2410.01234", "a slug is lower-case words joined by '_'"),
        ("other", "24.1", "an arXiv id looks like '2410.00907', not '24.1'"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_nothing_is_written(tree: Any, slug: str, arxiv: str, says: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in tree.tree.rglob("*") if path.is_file()}
    done = tree.call("new", slug, "--arxiv", arxiv)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert says in done.err
    assert {path: path.stat().st_mtime_ns for path in tree.tree.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("name", "fault"),
    [*((name, "absent") for name in LISTS), *((name, "without a place") for name in LISTS if name != "CITATION.cff")],
)
def test_a_list_that_is_not_as_expected_stops_it_before_anything_is_written(
    tmp_path: Path, name: str, fault: str
) -> None:
    for other in LISTS:
        shutil.copy(ROOT / other, tmp_path)
    (tmp_path / name).unlink() if fault == "absent" else (tmp_path / name).write_text("# other\n")
    about = new_paper.sketched("other", "2410.01234", title="T", authors=("A",), field="f", gist="g")
    with pytest.raises(UserError, match=name):
        new_paper.create(about, tmp_path)
    assert not (tmp_path / "src").exists()
    assert not (tmp_path / "docs").exists()


def test_a_cut_leaves_no_paper_and_the_same_call_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in LISTS:
        shutil.copy(ROOT / name, tmp_path)
    about = new_paper.sketched("other", "2410.01234", title="T", authors=("A",), field="f", gist="g")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            new_paper.create(about, tmp_path)
    assert not [path for path in tmp_path.rglob("*other*") if path.is_file()]
    assert all((tmp_path / name).read_bytes() == (ROOT / name).read_bytes() for name in LISTS)
    new_paper.create(about, tmp_path)
    assert (tmp_path / "src" / "paperworks" / "other" / "paper.py").is_file()
