"""Search and filters over a day of sixteen papers, in Chromium, as somebody uses them who looks for a claim."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def index(open_page, sixteen):
    """Opens the list of papers, with what is asked for in its address."""
    return lambda asked="", **settings: open_page(f"index.html{asked}", folder=sixteen, **settings)


def found(page):
    return page.locator("#found")


def papers(page):
    return page.locator(".entry:visible th.paper a")


def listed(page):
    """The claims that are listed, as paper and id."""
    return page.locator(".claim-list > li:visible .id").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )


def box(page, verdict):
    return page.get_by_role("checkbox", name=re.compile(f"^{verdict}"))


def count(page, verdict):
    return int(page.locator(f"[data-count='{verdict}']").inner_text())


def test_without_a_script_every_claim_is_there_and_nothing_that_does_not_work(chromium, sixteen):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{(sixteen / 'index.html').as_uri()}?verdict=fails")
    expect(page.get_by_role("search")).to_have_count(0)
    expect(page.locator(".entry")).to_have_count(16)
    assert page.locator(".claim-list > li").count() == 130
    page.get_by_text("All 9 claims").first.click()
    expect(page.locator(".claim-list").first.get_by_role("link")).to_have_count(9)
    context.close()


def test_with_nothing_asked_for_all_is_shown(index):
    page = index()
    expect(papers(page)).to_have_count(16)
    expect(found(page)).to_have_text("All claims are shown.")
    assert listed(page) == [], "the claims are folded away until somebody looks for one"


def test_a_search_finds_claims_by_their_words_and_papers_by_theirs(index):
    page = index()
    search = page.get_by_role("searchbox", name="Search papers, claims and methods")
    search.fill("simulated jury")
    assert listed(page)
    for text in page.locator(".claim-list > li:visible .says").all_inner_texts():
        assert text == "A simulated jury prefers it in two cases of three."
    entry = page.locator(".entry:visible").first
    assert re.fullmatch(r"\d of \d claims", entry.locator(".how-many").inner_text())
    expect(entry.locator(".claimed p").first).to_be_hidden()
    search.fill("ELAN")
    expect(page.locator(".entry:visible .claimed p").first).to_be_visible()
    expect(page.locator(".entry:visible .how-many")).to_have_text("All 8 claims")
    expect(papers(page)).to_have_text(["Élan: State Spaces for Medical Images of Every Size"])
    expect(found(page)).to_have_text("8 of 130 claims, in 1 of 16 papers")
    search.fill("2410.00014")
    expect(papers(page)).to_have_text(["Sums Are All You Need"])
    search.fill("sums chance")
    assert len(listed(page)) == 1, "one word of the paper, one of its claim"


def test_a_search_finds_a_paper_by_the_names_that_it_offers(open_page, tmp_path):
    from paperworks.app.report import write_report

    page = open_page("index.html", folder=write_report(tmp_path, local={}, published={}).parent)
    page.get_by_role("searchbox").fill("LMulConfig")
    expect(page.locator(".entry:visible")).to_have_count(1)
    expect(page.locator(".entry:visible th a")).to_have_attribute("href", "lmul.html")


def test_verdict_field_and_words_narrow_together(index):
    page = index()
    box(page, "holds").check()
    holds = listed(page)
    assert len(holds) == int(found(page).inner_text().split()[0])
    box(page, "unclear").check()
    either = listed(page)
    assert set(holds) < set(either)
    page.get_by_label("Field").select_option("image generation")
    expect(papers(page)).to_have_count(2)
    assert set(listed(page)) < set(either)
    page.get_by_role("searchbox").fill("jury")
    for item in page.locator(".claim-list > li:visible").all():
        assert {item.get_attribute("data-published"), item.get_attribute("data-yours")} & {"holds", "unclear"}
        assert "jury" in item.inner_text()


def test_each_choice_says_how_many_claims_it_would_show(index):
    page = index()
    page.get_by_label("Verdict of").select_option("published")
    tally = page.locator(".tally")
    for verdict in ("holds", "partly", "fails", "unclear", "untested", "stand-in"):
        row = tally.get_by_role("row").filter(has=page.get_by_role("rowheader", name=re.compile(f"^{verdict}")))
        assert count(page, verdict) == int(row.get_by_role("cell").first.inner_text())
    promised = count(page, "partly")
    box(page, "partly").check()
    assert len(listed(page)) == promised
    before = count(page, "fails")
    page.get_by_role("searchbox").fill("memory")
    assert count(page, "fails") < before, "the counts follow what else is asked for"
    option = page.locator("#find-field option", has_text="robot planning")
    promised = int(re.search(r"\((\d+)\)", option.inner_text())[1])
    page.get_by_label("Field").select_option("robot planning")
    assert len(listed(page)) == promised


def test_whose_verdict_is_meant_can_be_said(index):
    page = index("?verdict=untested")
    either = set(listed(page))
    page.get_by_label("Verdict of").select_option("published")
    published = set(listed(page))
    page.get_by_label("Verdict of").select_option("yours")
    assert published | set(listed(page)) == either
    assert published < either


def test_the_address_holds_what_is_asked_for_and_can_be_linked(index):
    page = index()
    page.get_by_role("searchbox").fill("baseline & more?")
    page.get_by_role("searchbox").fill("baseline")
    box(page, "fails").check()
    box(page, "stand-in").check()
    page.get_by_label("Field").select_option("evaluation of models")
    address, seen = page.url, listed(page)
    assert address.endswith("?q=baseline&field=evaluation+of+models&verdict=fails&verdict=stand-in")
    again = index(f"?{address.partition('?')[2]}")
    assert listed(again) == seen
    expect(again.get_by_role("searchbox")).to_have_value("baseline")
    expect(box(again, "stand-in")).to_be_checked()
    expect(again.get_by_label("Field")).to_have_value("evaluation of models")
    again.get_by_role("button", name="Show all", exact=True).click()
    expect(papers(again)).to_have_count(16)
    assert again.url.endswith("index.html")


def test_back_from_a_claim_the_view_is_what_it_was(index):
    page = index()
    page.get_by_role("searchbox").fill("jury")
    seen = listed(page)
    page.locator(".claim-list > li:visible .id").first.click()
    expect(page).to_have_url(re.compile(rf"{re.escape(seen[0])}$"))
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("jury")
    assert listed(page) == seen


def test_an_address_that_asks_for_what_there_is_not_shows_all(index):
    page = index("?verdict=splendid&field=alchemy&of=nobody&q=")
    expect(papers(page)).to_have_count(16)


def test_where_nothing_is_found_it_says_so_and_leads_back(index):
    page = index("?q=perpetuum+mobile")
    expect(found(page)).to_have_text("0 of 130 claims, in 0 of 16 papers")
    page.get_by_role("button", name="Show all claims").click()
    expect(papers(page)).to_have_count(16)
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_what_was_found_is_announced_and_all_of_it_works_by_keyboard(index):
    page = index()
    expect(page.get_by_role("status")).to_have_attribute("id", "found")
    page.get_by_role("searchbox").focus()
    page.keyboard.type("chance")
    expect(page.get_by_role("status")).to_contain_text(re.compile(r"^\d+ of 130 claims, in \d+ of 16 papers$"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("searchbox")).to_have_value("chance")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(box(page, "holds")).to_be_checked()
    kept = listed(page)
    marks = page.locator(".entry:visible .marks").first.locator("li:visible")
    assert 0 < marks.count() <= len(kept), "the marks that are left are those of the claims that are left"


def test_what_somebody_unfolded_stays_unfolded(index):
    page = index()
    page.get_by_text("All 9 claims").first.click()
    page.get_by_role("searchbox").fill("jury")
    page.get_by_role("searchbox").fill("")
    expect(page.locator("details[open]")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desk", "phone"])
@pytest.mark.parametrize("name", ["index.html?q=memory&verdict=fails", "compare-fake-sums.html", "fake-sums.html"])
def test_axe_finds_nothing_and_nothing_runs_over_the_edge(open_page, sixteen, axe, name, size, scheme):
    page = open_page(name, size, sixteen, color_scheme=scheme)
    page.evaluate(axe)
    findings = page.evaluate("async () => (await axe.run()).violations")
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in findings] == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_printed_every_claim_is_listed_and_the_controls_are_not(index):
    page = index(color_scheme="dark")
    page.emulate_media(media="print")
    expect(page.get_by_role("search")).to_be_hidden()
    expect(page.locator(".claim-list > li").last).to_be_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
