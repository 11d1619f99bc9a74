"""Which papers exist, how a person may spell one, and what is said of a folder whose ``paper.py`` is wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import paperworks
from paperworks.core import Paper, UserError, broken, paper, papers, registry, slug_of

SOURCE = """
from paperworks.core import Claim, Paper

PAPER = Paper(
    slug={slug!r}, arxiv="2410.00001", title="T", authors=("A. Author",), field="testing", gist="G.",
    claims=(Claim(id="C1", says="s", metric="m", setting="s", source="s", untestable="made up"),),
)
"""

AddPaper = Callable[..., Path]


@pytest.fixture
def add_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddPaper]:
    """An empty house in place of the package; the function given adds a folder to it, with that ``paper.py``."""
    monkeypatch.setattr(registry, "_PACKAGE", tmp_path)
    monkeypatch.setattr(paperworks, "__path__", [str(tmp_path)])
    added: list[str] = []

    def add(slug: str, source: str = "") -> Path:
        folder = tmp_path / slug
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "paper.py").write_text(source or SOURCE.format(slug=slug))
        added.append(slug)
        return folder

    registry._read.cache_clear()
    yield add
    registry._read.cache_clear()
    for slug in added:
        for name in (f"paperworks.{slug}", f"paperworks.{slug}.paper"):
            sys.modules.pop(name, None)
        vars(paperworks).pop(slug, None)


@pytest.fixture
def three(add_paper: AddPaper) -> None:
    for slug in ("made_up_b", "made_up_a", "zebra"):
        add_paper(slug)


@pytest.mark.usefixtures("three")
class TestPapers:
    def test_come_in_slug_order_however_the_disk_lists_them(self) -> None:
        assert list(papers()) == ["made_up_a", "made_up_b", "zebra"]

    def test_are_papers_under_their_own_slug(self) -> None:
        assert all(isinstance(found, Paper) and found.slug == slug for slug, found in papers().items())

    def test_cannot_be_written_to(self) -> None:
        with pytest.raises(TypeError, match="does not support item assignment"):
            papers()["more"] = papers()["zebra"]  # type: ignore[index]

    def test_are_read_once(self) -> None:
        assert papers() is papers()

    @pytest.mark.parametrize("spelling", ["made_up_a", "made-up-a", "Made-Up_A", "MADE_UP_A", " made-up-a\n"])
    def test_are_found_with_dashes_and_in_any_case(self, spelling: str) -> None:
        assert slug_of(spelling) == "made_up_a"
        assert paper(spelling).slug == "made_up_a"

    @pytest.mark.parametrize(
        ("spelling", "near"),
        [("zebr", "zebra"), ("zebras", "zebra"), ("MADE-UPA", "made_up_a"), ("made up b", "made_up_b")],
    )
    @pytest.mark.parametrize("find", [slug_of, paper])
    def test_a_near_miss_is_answered_with_the_nearest(
        self, find: Callable[[str], object], spelling: str, near: str
    ) -> None:
        with pytest.raises(UserError, match=f"^there is no paper '{spelling}'; did you mean {near}\\?$"):
            find(spelling)

    @pytest.mark.parametrize("spelling", ["quantum", "", "../zebra", "made_up_a.paper"])
    def test_an_unknown_name_imports_nothing(self, spelling: str) -> None:
        before = set(sys.modules)
        with pytest.raises(UserError, match="there is no paper"):
            slug_of(spelling)
        assert set(sys.modules) == before

    def test_where_nothing_is_near_all_are_named(self) -> None:
        with pytest.raises(
            UserError, match=r"there is no paper 'quantum'; the papers are made_up_a, made_up_b, zebra$"
        ):
            slug_of("quantum")


class TestFolders:
    def test_without_a_paper_file_are_no_papers(self, add_paper: AddPaper) -> None:
        (add_paper("house") / "paper.py").unlink()
        add_paper("made_up")
        assert list(papers()) == ["made_up"]

    def test_only_the_data_is_imported(self, add_paper: AddPaper) -> None:
        (add_paper("made_up") / "experiment.py").write_text("raise RuntimeError('the experiment was imported')")
        assert list(papers()) == ["made_up"]
        assert "paperworks.made_up.experiment" not in sys.modules

    @pytest.mark.parametrize(
        ("source", "wrong"),
        [
            (
                SOURCE.format(slug="other"),
                "paperworks/broken/paper.py calls itself 'other'; its slug must be",
            ),
            (SOURCE.format(slug="broken").replace("G.", " "), "ValueError: broken: gist is blank"),
            ("PAPER = {'slug': 'broken'}", "TypeError: paperworks.broken.paper.PAPER must be a paperworks.core.Paper"),
            ("PAPER = None", "not NoneType"),
            ("OTHER = 1", "not NoneType"),
            ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
            ("raise RuntimeError('broken')", "RuntimeError: broken"),
            ("PAPER = (", "SyntaxError: '(' was never closed"),
        ],
    )
    def test_a_wrong_paper_is_left_out_with_the_reason_and_costs_nobody_the_others(
        self, add_paper: AddPaper, source: str, wrong: str
    ) -> None:
        add_paper("broken", source)
        add_paper("made_up")
        assert list(papers()) == ["made_up"]
        assert list(broken()) == ["broken"]
        assert wrong in broken()["broken"]
        assert paper("made-up").slug == "made_up"
        with pytest.raises(UserError, match=r"^broken cannot be used: ") as refusal:
            paper("broken")
        assert wrong in str(refusal.value)

    def test_a_name_is_known_without_reading_any_paper(self, add_paper: AddPaper) -> None:
        """So that one broken folder keeps nobody from naming another."""
        add_paper("broken", "raise RuntimeError('broken')")
        add_paper("made_up")
        assert slug_of("made-up") == "made_up"


def test_the_papers_that_are_shipped_are_whole() -> None:
    folders = sorted(file.parent.name for file in Path(paperworks.__file__).parent.glob("*/paper.py"))
    assert not broken()
    assert list(papers()) == folders
    assert "lmul" in folders
