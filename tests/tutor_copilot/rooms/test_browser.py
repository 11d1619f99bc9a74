"""The whole story in Chromium: two windows, tutor and student, by mouse and by keyboard, on a desk and on a phone."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from paperworks.tutor_copilot.server_process import ServerProcess

from .conftest import CannedHelp, make_school, running, text_of

pytestmark = pytest.mark.browser

SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture
def open_window(chromium, server) -> Iterator[Callable[..., Page]]:
    """A window of its own for a person; what goes wrong in it, and what it asks of anybody else, fails the test."""
    contexts, wrong = [], []

    def opened(person: str, size: str = "desk", **settings) -> Page:
        context = chromium.new_context(viewport=SIZES[size], **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on(
            "request", lambda request: request.url.startswith((server.address, server.address.replace("http", "ws")))
            or wrong.append(f"asked for {request.url}")
        )  # fmt: skip
        page.goto(f"{server.address}/join/{server.visitor().link(person)}")
        page.get_by_role("button", name="Yes, come in").click()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def enter(page: Page, topic: str = "Adding fractions") -> None:
    page.get_by_role("link", name=topic).first.click()
    expect(page.locator("#link")).to_have_text("Connected")


def say(page: Page, text: str) -> None:
    page.get_by_label("Your message").fill(text)
    page.get_by_role("button", name="Send", exact=True).click()


def photograph(page: Page, name: str) -> None:
    """Keeps a picture where somebody wants to look at it."""
    if folder := os.environ.get("TUTOR_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_the_whole_story_of_a_tutor_and_a_student(open_window, school, axe):
    tutor, student = open_window(school.tutor), open_window(school.student, "phone")
    enter(tutor)
    enter(student)
    expect(tutor.locator("#presence")).to_have_text("Robbie Miller is here")
    expect(student.locator("#presence")).to_have_text("Dana Rivera is here")
    assert tutor.locator(".problem math mfrac").count() == 2

    student.get_by_label("Your message").press_sequentially("i got 4/9")
    expect(tutor.locator("#typing")).to_have_text("Robbie Miller is writing")
    student.get_by_label("Your message").press("Enter")
    expect(tutor.get_by_role("log")).to_contain_text("i got 4/9")
    expect(tutor.locator("#typing")).to_have_text("")

    tutor.get_by_role("button", name="Ask a question").click()
    suggestions = tutor.get_by_role("list", name="Suggestions").get_by_role("listitem")
    expect(suggestions).to_have_count(3)
    expect(suggestions.nth(2)).to_contain_text("ask_question 2")
    tutor.get_by_role("button", name="Three others").click()
    expect(suggestions.nth(0)).to_contain_text("ask_question 30")
    photograph(tutor, "tutor")
    suggestions.nth(1).get_by_role("button", name="Edit").click()
    box = tutor.get_by_label("Your message")
    expect(box).to_have_value("ask_question 31")
    expect(box).to_be_focused()
    box.fill(r"How many pieces has $\frac{3}{4}$?")
    box.press("Enter")

    heard = student.get_by_role("log").get_by_role("listitem").last
    expect(heard).to_contain_text("How many pieces has")
    assert heard.locator("math mfrac").count() == 1
    expect(student.get_by_text("Help your student")).to_have_count(0)
    photograph(student, "student")
    for page in (tutor, student):
        check(page, axe)

    tutor.get_by_label("Exit ticket, percent right").fill("66.7")
    tutor.get_by_role("button", name="End the session").click()
    expect(student.get_by_text("This room is closed.")).to_be_visible()
    tutor.get_by_role("link", name="To print").click()
    expect(tutor.get_by_role("main")).to_contain_text("Robbie Miller")
    photograph(tutor, "transcript")
    check(tutor, axe)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_for_everybody(open_window, school, server, axe, scheme):
    person = open_window(school.tutor, "phone", color_scheme=scheme)
    check(person, axe)
    photograph(person, f"lobby-{scheme}")
    person.goto(f"{server.address}/consent")
    check(person, axe)
    photograph(person, f"consent-{scheme}")
    enter_room = f"{server.address}/rooms/{school.room}"
    person.goto(enter_room)
    person.get_by_role("button", name="Three moves").click()
    expect(person.get_by_role("heading", name="Provide a hint")).to_be_visible()
    check(person, axe)
    photograph(person, f"tutor-phone-{scheme}")
    admin = open_window(school.admin, "desk", color_scheme=scheme)
    for name in ("Administration", "Data"):
        admin.get_by_role("link", name=name, exact=True).click()
        expect(admin).to_have_title(re.compile(name))
        check(admin, axe)
        photograph(admin, f"{name.lower()}-{scheme}")
    admin.get_by_role("button", name="Sign out", exact=True).click()
    check(admin, axe)
    photograph(admin, f"sign-in-{scheme}")


def check(page: Page, axe: str) -> None:
    """Nothing that axe calls serious, and nothing that runs over the edge."""
    page.evaluate(axe)
    findings = page.evaluate("async () => (await axe.run()).violations")
    assert [(one["id"], one["impact"], [node["html"] for node in one["nodes"]][:3]) for one in findings] == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_without_a_mouse(open_window, school):
    page = open_window(school.tutor)
    enter(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    reached: list[str] = []
    while len(reached) < 40 and "Provide a hint" not in reached:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText || document.activeElement.id"))
    page.keyboard.press("Enter")
    suggestions = page.get_by_role("list", name="Suggestions").get_by_role("listitem")
    expect(suggestions.nth(2)).to_contain_text("provide_hint 2")
    suggestions.nth(0).get_by_role("button", name="Edit").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your message")).to_be_focused()
    page.keyboard.type(" please")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log")).to_contain_text("provide_hint 0 please")


def test_what_people_write_is_never_markup(open_window, school):
    tutor, student = open_window(school.tutor), open_window(school.student)
    enter(tutor)
    enter(student)
    hostile = [
        "<img src=x onerror=alert(1)>",
        "<script>alert(1)</script>",
        r"$\text{<img src=x onerror=alert(1)>}$",
        r"$\href{javascript:alert(1)}{x}$",
        "\u202etxet desrever",
    ]
    for text in hostile:
        say(student, text)
    expect(tutor.get_by_role("log").get_by_role("listitem")).to_have_count(len(hostile))
    inside = tutor.locator("#log")
    assert inside.locator("img, script, a, svg, iframe").count() == 0
    expect(inside.get_by_role("listitem").first).to_contain_text(hostile[0])


def test_the_mathematics_keys_put_a_fraction_into_the_message(open_window, school):
    page = open_window(school.student)
    enter(page)
    page.get_by_role("button", name="Fraction").click()
    page.keyboard.type("3")
    expect(page.get_by_label("Your message")).to_have_value(r"$\frac{3}{▢}$")


def test_what_is_written_while_the_server_is_away_arrives_once_when_it_is_back(chromium, tmp_path):
    """Students do not see a server restart, and lose nothing by it: not even where they load the page meanwhile."""
    url, engine = f"sqlite:///{tmp_path / 'rooms.db'}", CannedHelp()
    context = chromium.new_context(viewport=SIZES["desk"])
    page = context.new_page()
    with running(url, engine) as first:
        school = first.database(make_school)
        page.goto(f"{first.address}/join/{first.visitor().link(school.student)}")
        page.get_by_role("button", name="Yes, come in").click()
        enter(page)
        say(page, "before")
        expect(page.locator("#log .by")).to_have_text(["You"])
        port = int(first.address.rpartition(":")[2])
    expect(page.locator("#link")).to_contain_text("The connection is lost")
    say(page, "meanwhile")
    say(page, "and again")
    expect(page.locator("#log .by")).to_have_text(["You", "You, being sent", "You, being sent"])
    with running(url, engine, port=port) as second:
        expect(page.locator("#log .by")).to_have_text(["You", "You", "You"], timeout=20_000)
        with second.visitor(school.tutor).socket(school.room) as tutor:
            assert [text_of(tutor.next("message")) for _ in range(3)] == ["before", "meanwhile", "and again"]
        page.reload()
        expect(page.locator("#log .words")).to_have_text(["before", "meanwhile", "and again"])
        context.close()


def test_one_command_and_two_windows_of_one_browser_are_enough(chromium, tmp_path):
    """What somebody does in their first minute: the two printed addresses, a question, three suggestions, one sent."""
    server = ServerProcess(f"sqlite:///{tmp_path / 'rooms.db'}", tmp_path / "log", options=("--demo",)).start()
    try:
        links = dict(re.findall(r"the (tutor|student) +(http://\S+)", server.log.read_text()))
        context = chromium.new_context(viewport=SIZES["desk"])
        tutor, student = context.new_page(), context.new_page()
        for page, link in ((tutor, links["tutor"]), (student, links["student"])):
            page.goto(link)
            page.get_by_role("button", name="Yes, come in").click()
            page.get_by_label("I have read this and agree").check()
            page.get_by_role("button", name="Go on").click()
            enter(page)
        say(student, "i think it is 4/9")
        expect(tutor.get_by_role("log")).to_contain_text("4/9")
        tutor.get_by_role("button", name="Provide a hint").click()
        suggestions = tutor.get_by_role("list", name="Suggestions").get_by_role("listitem")
        expect(suggestions.get_by_role("button", name="Edit")).to_have_count(3)
        assert len(set(suggestions.locator("p:first-of-type").all_inner_texts())) == 3
        suggestions.first.get_by_role("button", name="Edit").click()
        tutor.keyboard.press("End")
        tutor.keyboard.type(" :)")
        tutor.keyboard.press("Enter")
        expect(student.get_by_role("log")).to_contain_text(":)")
        photograph(tutor, "first-minute")
        context.close()
    finally:
        server.stop()
