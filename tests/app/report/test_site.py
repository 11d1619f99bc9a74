"""What the written pages say, read as text; the browser's view of them is in test_browser.py."""

import re
import sys
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from paperworks.app.report import write_report
from paperworks.core import MissingExtra, papers
from paperworks.lab import page


class Outline(HTMLParser):
    """Tags, ids and addresses of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.ids, self.addresses, self.handlers = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in {"src", "href", "action", "data", "poster"}:
                self.addresses.append(value)
            if name.startswith("on"):
                self.handlers.append(name)


HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def pages(site):
    return {file.name: file.read_text() for file in site.glob("*.html")}


def test_there_are_two_pages_a_paper_under_its_slug_with_dashes(pages, site):
    assert set(pages) == {
        "index.html", "fake-adder.html", "compare-fake-adder.html", "fake-quiet.html", "compare-fake-quiet.html",
    }  # fmt: skip
    assert not list(site.glob(".*")), "nothing temporary is left behind"


def test_the_pages_ask_nothing_of_anybody_else(pages):
    for html in pages.values():
        outline = Outline(html)
        foreign = [
            at
            for at in outline.addresses
            if not re.match(r"#|data:|(index|(compare-)?fake-\w+)\.html|report\.json", at)
        ]
        assert all(at.startswith("https://arxiv.org/abs/") for at in foreign)
        assert "default-src 'none'" in unescape(html)
        assert "@import" not in html
        assert "url(http" not in html


def test_text_from_evidence_stays_text(pages):
    for name, html in pages.items():
        outline = Outline(html)
        assert outline.tags.count("script") == (name == "index.html"), "only the list of papers has one: its search"
        assert not outline.handlers
        assert "<img src=x" not in html


def test_ids_are_unique_and_every_claim_has_its_anchor(pages, day):
    for html in pages.values():
        ids = Outline(html).ids
        assert len(ids) == len(set(ids))
    assert {claim.id for claim in day.of["fake_adder"].claims} <= set(Outline(pages["fake-adder.html"]).ids)


def test_the_address_of_a_claim_outlives_its_text(pages, tmp_path, day):
    said = re.compile(r'<section class="claim" id="(.*?)".*?<a class="anchor" href="(.*?)" aria-label="(.*?)"', re.S)
    before = said.findall(pages["fake-adder.html"])
    assert before[5] == ("C6-market", "#C6-market", "Link to claim C6-market")
    reworded = replace(
        day.of["fake_adder"],
        title="Another title",
        claims=tuple(replace(claim, says="Said in other words.") for claim in day.of["fake_adder"].claims[::-1]),
    )
    write_report(tmp_path, local={}, published=day.published, of={"fake_adder": reworded})
    assert sorted(said.findall((tmp_path / "fake-adder.html").read_text())) == sorted(before)


def test_links_within_the_site_lead_somewhere(pages):
    ids = {name: set(Outline(html).ids) for name, html in pages.items()}
    for name, html in pages.items():
        for address in Outline(html).addresses:
            target, hash_, anchor = address.partition("#")
            if hash_ and not target.startswith("data:") and not anchor.startswith(("m-", "c-")):
                assert anchor in ids[target or name], address


def test_a_number_that_could_not_be_verified_is_never_printed_as_one(pages):
    html = pages["fake-adder.html"]
    section = html[html.index('id="C1"') : html.index('id="C2"')]
    said = section[section.index("<h4>Paper") : section.index("<h4>Published")]
    assert "comparable precision" in said
    assert 'class="value"' not in said


def test_each_number_says_which_run_it_is_from(pages):
    html = pages["fake-adder.html"]
    assert "full, 95 % interval over 5 seeds" in html
    assert "quick, 95 % interval over 5 seeds" in html
    assert "needs --preset full" in html
    assert "judged anew: run again (--preset quick)" in html


def test_stand_ins_do_not_count_in_the_headline(pages):
    text = pages["index.html"].replace("\xa0", " ")
    assert "Of 5 claims measured, 2 hold, 1 holds in part, 1 fails and 1 is unclear." in text
    assert "C6-market holds, on a stand-in" in text


def test_a_failed_run_shows_its_error_and_what_it_measured(pages):
    html = pages["fake-quiet.html"]
    assert "Your quick run failed." in html
    assert "MemoryError: the run outgrew its limit of 4 GB &lt;script&gt;" in html
    assert "from a run that did not finish" in html


def test_a_figure_of_several_claims_is_drawn_once(pages):
    html = pages["fake-adder.html"]
    assert html.count("<figure ") == 3
    assert '<a href="#figure-1">Figure 1</a>' in html


def test_written_again_nothing_changes(site, day):
    before = {file: file.stat().st_mtime_ns for file in site.iterdir()}
    write_report(site, local=day.local, published=day.published, of=day.of)
    assert {file: file.stat().st_mtime_ns for file in site.iterdir()} == before


def test_a_live_page_has_one_script_more_and_its_policy_names_each(tmp_path, day):
    index = write_report(tmp_path, local=day.local, published=day.published, of=day.of, live=True)
    for file, scripts in ((index, 2), (tmp_path / "fake-adder.html", 1), (tmp_path / "compare-fake-adder.html", 1)):
        html = file.read_text()
        assert Outline(html).tags.count("script") == scripts
        assert unescape(html).partition("script-src ")[2].partition('"')[0].count("'sha256-") == scripts
        assert "A run is under way" in html
        assert 'http-equiv="refresh"' not in html


def test_the_papers_that_exist_have_their_pages_without_any_evidence(tmp_path):
    index = write_report(tmp_path, local={}, published={})
    html = index.read_text()
    assert "No claim has been measured yet." in html
    for paper in papers().values():
        assert f'href="{paper.command}.html"' in html
        assert (tmp_path / f"{paper.command}.html").is_file()


def test_without_jinja_the_report_says_what_to_install(tmp_path, monkeypatch):
    page.environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtra, match=r"the report needs jinja2: pip install 'paperworks\[lab\]'"):
        write_report(tmp_path, local={}, published={})


def test_evidence_of_a_stranger_with_odd_types_is_shown_and_does_not_stop_the_report(tmp_path, day):
    odd = replace(
        day.local["fake_adder"]["quick"],
        preset="full",
        source={"paper": 7, "house": None},
        sizes={"nested": {"a": [1.5, None, HOSTILE]}},
        environment={HOSTILE: HOSTILE, "packages": ["not", "a", "mapping"]},
        started="yesterday",
        bench=({"case": ["a", "list"], "ours_s": "soon", "ratio": True},),
        cost={},
    )
    runs = {"fake_adder": {"full": odd, "bench": replace(odd, preset="bench")}}
    html = (write_report(tmp_path, local=runs, published={}, of=day.of).parent / "fake-adder.html").read_text()
    assert "yesterday" in html
    assert "nested a 1.5, none, &lt;script&gt;" in html
    assert "script" not in Outline(html).tags
