"""The report as a reader has it: in Chromium, on a desk and on a phone, light, dark and printed, without a mouse."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from paperworks.app.report import write_report

pytestmark = pytest.mark.browser

PAGES = ("index.html", "fake-adder.html", "fake-quiet.html", "compare-fake-adder.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desk", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious_and_nothing_runs_over_the_edge(open_page, axe, name, size, scheme):
    page = open_page(name, size, color_scheme=scheme)
    page.evaluate(axe)
    findings = page.evaluate("async () => (await axe.run()).violations")
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in findings] == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_row_leads_to_its_paper_with_claim_numbers_interval_and_verdict(open_page):
    page = open_page("index.html")
    row = page.get_by_role("row").filter(has_text="Sums Are Enough")
    expect(row.get_by_role("cell").nth(1)).to_contain_text("partly 70 % full run")
    expect(row.get_by_role("cell").nth(2)).to_contain_text("holds 95.5 % quick run")
    row.get_by_role("link", name=re.compile("Sums Are Enough")).click()
    expect(page).to_have_title(re.compile("Sums Are Enough"))
    claim = page.get_by_role("region", name="It saves 95 % of the energy of elementwise products.")
    expect(claim.locator(".said")).to_contain_text("95 %")
    expect(claim.locator(".published")).to_contain_text("partly")
    expect(claim.locator(".yours")).to_contain_text("holds")
    close = page.get_by_role("region", name="Three bits beat the other eight-bit format.")
    expect(close.locator(".said")).to_contain_text("52.92 %")
    expect(close.locator(".published")).to_contain_text("fails 1.234 [1.221, 1.247]")
    expect(close.locator(".yours")).to_contain_text("holds 0.9700 [0.9400, 0.9996]")
    expect(close.get_by_role("img")).to_have_accessible_name(re.compile(r"is below 1\..*1\.234 \[1\.221, 1\.247\]"))
    page.get_by_role("link", name="All papers").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Of 5 claims measured")


def test_a_mark_says_its_word_to_keyboard_and_screen_reader_and_leads_to_its_claim(open_page):
    page = open_page("index.html", "phone")
    marks = page.get_by_role("list", name="Published verdicts").get_by_role("link")
    expect(marks).to_have_text(
        ["C1 holds", "C2 partly", "C3 fails", "C4 unclear", "C5 untested", "C6-market holds, on a stand-in",
         "C7 untested", "C8 holds"]
    )  # fmt: skip
    for at in range(marks.count()):
        marks.nth(at).focus()
        tip = marks.nth(at).evaluate("node => getComputedStyle(node, '::after').content")
        assert marks.nth(at).inner_text() in tip
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        box = marks.nth(at).bounding_box()
        assert min(box["width"], box["height"]) >= 24, "a finger has to hit it"
    marks.nth(2).press("Enter")
    expect(page).to_have_url(re.compile(r"fake-adder\.html#C3$"))
    expect(page.locator("#C3")).to_be_in_viewport()


def test_verdicts_differ_in_shape_and_not_in_colour_alone(open_page):
    page = open_page("index.html")
    shapes = page.evaluate(
        "[...document.querySelectorAll('symbol')].map(node => node.innerHTML.replace(/fill|stroke/g, ''))"
    )
    assert len(shapes) == 9 + 4, "nine marks for verdicts, four for changes"
    assert len(set(shapes)) == len(shapes)


def test_the_keyboard_reaches_the_skip_link_every_link_and_every_folded_table(open_page):
    page = open_page("fake-adder.html")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    wanted = page.evaluate("document.querySelectorAll('main a[href], main summary').length")
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("[...document.querySelectorAll('main a[href], main summary')]"
                                  ".indexOf(document.activeElement)"))  # fmt: skip
    assert reached - {-1} == set(range(wanted))
    rows = page.locator("#C1-rows-1")
    expect(rows.get_by_role("table")).to_be_hidden()
    rows.locator("summary").press("Enter")
    expect(rows.get_by_role("table")).to_be_visible()
    assert rows.get_by_role("row").count() == 16


def test_the_link_to_a_claim_shows_where_a_pointer_or_the_keyboard_is_and_always_to_a_finger(open_page):
    page = open_page("fake-adder.html")
    link = page.get_by_role("link", name="Link to claim C3", exact=True)
    expect(link).to_have_css("opacity", "0")
    page.locator("#C3 h3").hover()
    expect(link).to_have_css("opacity", "1")
    page.mouse.move(0, 0)
    expect(link).to_have_css("opacity", "0")
    page.locator("#C2-rows-1 summary, #C3 a").first.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(link).to_have_css("opacity", "1")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"fake-adder\.html#C3$"))
    finger = open_page("fake-adder.html", "phone", has_touch=True, is_mobile=True)
    link = finger.get_by_role("link", name="Link to claim C3", exact=True)
    expect(link).to_have_css("opacity", "1")
    assert min(link.bounding_box()[side] for side in ("width", "height")) >= 24


def test_the_comparison_shows_what_changed_and_leads_to_the_claim(open_page):
    page = open_page("index.html")
    page.get_by_role("link", name="against the published").first.click()
    expect(page).to_have_title(re.compile("^Yours against published: Sums Are Enough"))
    row = page.get_by_role("row").filter(has_text="Three bits beat the other")
    expect(row.get_by_role("cell")).to_contain_text(
        [
            "fails 1.234 [1.221, 1.247] full run",
            "holds 0.9700 [0.9400, 0.9996] quick run",
            re.compile(
                r"^Changed +changed, by more than the noise of seeds; judged fails and holds\s+yours minus.* -0\.26 \["
            ),
        ]
    )
    apart = page.get_by_role("row").filter(has_text="the loss is below 0.07")
    expect(apart.get_by_role("cell").last).to_contain_text("not compared: yours: needs --preset full")
    expect(page.get_by_role("row", name="preset full quick")).to_be_visible()
    row.get_by_role("link", name="C3").click()
    expect(page.locator("#C3")).to_be_in_viewport()


def test_numbers_of_a_column_stand_under_each_other(open_page):
    page = open_page("fake-adder.html")
    page.locator("#C1-rows-1 summary").click()
    cells = page.locator("#C1-rows-1 tbody tr td:nth-child(3)")
    ends = cells.evaluate_all(
        "cells => cells.map(cell => { const range = document.createRange(); range.selectNodeContents(cell);"
        " return range.getBoundingClientRect().right; })"
    )
    assert max(ends) - min(ends) < 0.5
    assert len({text.partition(".")[2].__len__() for text in cells.all_inner_texts()}) == 1


def test_a_figure_from_elsewhere_can_do_nothing_and_every_figure_is_drawn(open_page):
    page = open_page("fake-adder.html")
    images = page.locator("figure img")
    assert images.evaluate_all("all => all.map(one => one.complete && one.naturalWidth)") == [480, 480, 480]
    assert page.evaluate("window.owned") is None
    assert "Sums" in page.title()
    expect(images.first).to_have_attribute("alt", "Error falls as more mantissa bits are kept")


@pytest.mark.parametrize(("scheme", "media", "is_light"), [("light", "screen", True), ("dark", "screen", False)])
def test_the_ink_of_a_figure_follows_the_page(open_page, scheme, media, is_light):
    page = open_page("fake-adder.html", color_scheme=scheme)
    shot = Image.open(io.BytesIO(page.locator("#figure-1 img").screenshot())).convert("L")
    grey = np.asarray(shot)[-30:]  # the label under the axis
    ground, ink = np.median(grey), grey.min() if is_light else grey.max()
    assert (ground > 200) == is_light
    assert abs(float(ground) - float(ink)) > 150


def test_printed_it_is_black_on_white_with_everything_unfolded(open_page):
    page = open_page("fake-adder.html", color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(28, 30, 33)"
    expect(page.locator("#C1-rows-1").get_by_role("cell").first).to_be_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")


class TestLive:
    """While a run is under way. The clock is the test's own."""

    @pytest.fixture
    def live(self, day, tmp_path, chromium):
        write_report(tmp_path, local={}, published=day.published, of=day.of, live=True)
        contexts = []

        def opened(address="fake-adder.html", **settings):
            context = chromium.new_context(viewport={"width": 1280, "height": 900}, **settings)
            contexts.append(context)
            page = context.new_page()
            page.clock.install()
            page.goto(f"{tmp_path.as_uri()}/{address}")
            return page

        yield opened
        for context in contexts:
            context.close()

    @pytest.fixture
    def finish(self, day, tmp_path):
        return lambda: write_report(tmp_path, local=day.local, published=day.published, of=day.of)

    def test_it_fills_in_and_then_stands_still(self, live, finish):
        page = live()
        expect(page.get_by_role("status")).to_contain_text("A run is under way")
        page.locator("#C1-rows-1 summary").click()
        page.evaluate("scrollTo({top: 900, behavior: 'instant'})")
        finish()
        with page.expect_navigation():
            page.clock.fast_forward(8_100)
        expect(page.locator("#C1 .yours")).to_contain_text("0.991 [0.985, 0.997]")
        expect(page.get_by_role("status")).to_have_count(0)

    def test_a_reload_keeps_scroll_focus_and_what_was_unfolded(self, live):
        page = live()
        page.locator("#C1-rows-1 summary").click()
        page.locator("#C1-rows-1 summary").focus()
        page.evaluate("scrollTo({top: 900, behavior: 'instant'})")
        with page.expect_navigation():
            page.clock.fast_forward(8_100)
        expect(page.locator("#C1-rows-1")).to_have_attribute("open", "")
        expect(page.locator("#C1-rows-1 summary")).to_be_focused()
        assert page.evaluate("scrollY") == 900

    def test_a_reload_keeps_what_is_searched_for_and_finds_it_in_what_is_new(self, live, finish):
        page = live("index.html?verdict=holds&of=yours")
        expect(page.locator("#found")).to_have_text("0 of 10 claims, in 0 of 2 papers")
        finish()
        with page.expect_navigation():
            page.clock.fast_forward(8_100)
        expect(page.locator("#found")).to_have_text("4 of 10 claims, in 1 of 2 papers")
        expect(page.get_by_role("checkbox", name="holds")).to_be_checked()

    @pytest.mark.parametrize("how", ["reduced motion", "paused", "text selected"])
    def test_it_leaves_a_reader_alone_who_wants_to_be(self, live, how):
        page = live(reduced_motion="reduce" if how == "reduced motion" else "no-preference")
        if how == "paused":
            page.get_by_role("button", name="Pause").click()
            expect(page.get_by_role("button", name="Go on")).to_be_visible()
        if how == "text selected":
            page.locator("h1").select_text()
        page.evaluate("window.same = true")
        page.clock.run_for(30_000)
        assert page.evaluate("window.same")

    def test_who_wants_no_motion_reloads_by_hand(self, live, finish):
        page = live(reduced_motion="reduce")
        finish()
        with page.expect_navigation():
            page.get_by_role("button", name="Reload now").click()
        expect(page.locator("#C1 .yours")).to_contain_text("0.991")

    def test_axe_finds_nothing_serious(self, live, axe):
        page = live()
        page.clock.resume()
        page.get_by_role("button", name="Pause").click()
        page.evaluate(axe)
        assert [one["id"] for one in page.evaluate("async () => (await axe.run()).violations")] == []
