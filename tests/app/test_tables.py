"""The generated tables of README and docs, on an invented paper; and those of the repository itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from paperworks.app import tables
from paperworks.app.evidence import Evidence
from paperworks.core import Claim, Measurement, Paper, Published, UserError, at_least, at_most

ROOT = Path(__file__).resolve().parents[2]
PAPER = Paper(
    slug="fake",
    arxiv="2410.00001",
    title="A | B: [Sums] Are Enough",
    authors=("A",),
    field="arithmetic",
    gist="g",
    claims=(
        Claim(id="C1", says="Saves 95 %.", metric="m", setting="s", source="s", judge=at_least(95, null=0),
              published=(Published(value=95.0, label="products", unit="%"),)),
        Claim(id="C2", says="Wins <b>big</b>.", metric="m", setting="s", source="s", judge=at_most(1, null=1),
              published=(Published(value=None, label="error", note='"outperforms"'),)),
        Claim(id="C3", says="Earns.", metric="m", setting="s", source="s", judge=at_least(0, null=0)),
        Claim(id="C4", says="Halves.", metric="m", setting="s", source="s", untestable="no netlist is printed"),
    ),
)  # fmt: skip
TEMPLATE = "# Title\n\n<!-- generated: {what} -->\nold\n<!-- /generated -->\n\nAfter.\n"


def full(c1=70.0):
    run = Evidence(
        slug="fake", preset="full", sizes={}, seeds=3, source={}, commit=None, started="", finished="",
        state="complete", error=None, environment={}, cost={},
    )  # fmt: skip
    results = (
        Measurement(
            claim="C1", value=c1, low=c1, high=c1, interval="exact", n=1, scale="same", setting="45 nm", unit="%"
        ),
        Measurement(claim="C2", value=1.2, low=1.1, high=1.3, interval="seeds", n=3, scale="same", setting="digits"),
        Measurement(
            claim="C3", value=0.3, low=0.1, high=0.5, interval="seeds", n=3, scale="stand-in", setting="market"
        ),
    )
    for result in results:
        run = run.with_result(PAPER.claim(result.claim), result)
    return run


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "README.md").write_text(TEMPLATE.format(what="papers"))
    papers = tmp_path / "docs" / "papers"
    papers.mkdir(parents=True)
    (papers / "fake.md").write_text(TEMPLATE.format(what="claims fake"))
    return tables.Tree(root=tmp_path, of={"fake": PAPER}, runs_of=lambda slug: {"full": full()})


def test_the_claim_table_has_the_numbers_the_interval_and_the_verdict(tree):
    rows = tables.claims_table(tree, "fake").splitlines()
    assert rows[0] == "| Claim | The paper | Measured (published run) | Verdict |"
    assert rows[2:] == [
        "| **C1** Saves 95 %. | products: 95\xa0% | 70\xa0% (full run: 45 nm) | ◐ partly |",
        '| **C2** Wins \\<b\\>big\\</b\\>. | error ("outperforms") | 1.20 \\[1.10, 1.30\\] (full run: digits) '
        "| ■ fails |",
        "| **C3** Earns. | no number | 0.3 \\[0.1, 0.5\\] (full run: market) | ○ holds, on a stand-in |",
        "| **C4** Halves. | no number | no netlist is printed | – untested |",
    ]


def test_the_table_of_papers_links_to_the_docs_and_counts_stand_ins_apart(tree):
    row = tables.papers_table(tree, tree.root / "README.md").splitlines()[2]
    assert row == (
        "| [A \\| B: \\[Sums\\] Are Enough](docs/papers/fake.md) | `fake` | arithmetic "
        "| ◐ 1 partly, ■ 1 fails, – 1 untested, 1 on stand-ins |"
    )
    assert "](papers/fake.md)" in tables.papers_table(tree, tree.root / "docs" / "index.md")


def test_pages_are_outdated_until_they_are_written_and_again_when_the_evidence_changes(tree, capsys):
    both = [tree.root / "README.md", tree.root / "docs" / "papers" / "fake.md"]
    assert tables.outdated(tree) == both
    assert tables.update(tree, check=True) == 1
    assert "old" in both[0].read_text(), "a check writes nothing"
    assert tables.update(tree) == 0
    assert tables.update(tree, check=True) == 0
    text = both[1].read_text()
    assert text.startswith("# Title\n\n<!-- generated: claims fake -->\n\n| Claim |")
    assert text.endswith("|\n\n<!-- /generated -->\n\nAfter.\n")
    newer = replace(tree, runs_of=lambda slug: {"full": full(c1=96.0)})
    assert tables.outdated(newer) == both


def test_the_table_of_faults_is_that_of_the_log(tree):
    rows = "| Test | Fault |\n| --- | --- |\n| `test_x` | a flipped bit |\n"
    (tree.root / "docs" / "long-tests.log").write_text(f"....\n=== faults ===\n{rows}4 passed in 3 s\n")
    (tree.root / "README.md").write_text(TEMPLATE.format(what="faults"))
    assert f"\n\n{rows}\n<!-- /generated -->" in tables.refreshed(tree, tree.root / "README.md")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- generated: papers -->\n", "is not closed"),
        ("<!-- generated: papers -->\n<!-- generated: papers -->\n<!-- /generated -->", "is not closed"),
        (TEMPLATE.format(what="benches"), "there are 'papers', 'claims SLUG' and 'faults'"),
        (TEMPLATE.format(what="claims"), "there are 'papers', 'claims SLUG' and 'faults'"),
        (TEMPLATE.format(what="faults"), r"long-tests.log has no table of faults: `make test-long` writes it"),
        (TEMPLATE.format(what="claims nobody"), "there is no paper 'nobody'"),
    ],
)
def test_a_wrong_marker_is_one_sentence(tree, text, message):
    page = tree.root / "README.md"
    page.write_text(text)
    with pytest.raises(UserError, match=message):
        tables.refreshed(tree, page)


def test_a_wrong_folder_or_marker_exits_with_2(tmp_path, capsys):
    assert tables.main([str(tmp_path)]) == 2
    assert "neither README.md nor docs" in capsys.readouterr().err


def test_the_pages_of_this_repository_say_what_the_published_evidence_says():
    assert tables.outdated(tables.Tree(root=ROOT)) == [], "run python -m paperworks.app.tables"
