"""What an administrator does: people, classes, arms, costs, retention, erasure, transcripts, and the account of it."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from paperworks.tutor_copilot.store import audit, people, retention, schema

from .conftest import PASSWORD, text_of


def talked(tutor, student, school) -> None:
    with tutor.socket(school.room) as t, student.socket(school.room) as s:
        t.say(r"What is $\frac{1}{2}$ of 8, Robbie?", "a1")
        s.next("message")
        s.say("4", "b1")
        t.next("message", who="student")
        t.send({"t": "help", "id": "h1", "strategies": ["affirm_correct_answer"]})
        t.next("help_done")


def test_a_class_a_tutor_with_a_password_and_a_student_with_a_link(server, admin):
    assert admin.post("/admin/classes", {"name": "Six C", "grade": "6"}, page="/admin").status_code == 303
    page = admin.http.get("/admin").text
    class_id = re.search(r'<option value="([^"]+)">Six C<', page)[1]
    new = {"name": "Lea Novak", "role": "tutor", "class": class_id, "login": "lea", "password": PASSWORD}
    assert admin.post("/admin/people", new, page="/admin").status_code == 303
    tutor = server.visitor()
    assert tutor.http.post("/sign-in", data={"login": "lea", "password": PASSWORD}).status_code == 303
    shown = admin.post("/admin/people", {"name": "Ben Ito", "role": "student", "class": class_id}, page="/admin").text
    link = re.search(r"http://[^ <]+/join/[^ <]+", shown)[0]
    student = server.visitor()
    assert student.http.post(link).status_code == 303
    for visitor in (tutor, student):
        visitor.post("/consent", {"agrees": "yes"}, page="/consent")
    student_id = re.search(rf'<option value="({class_id}/[^"]+)">Ben Ito', tutor.http.get("/").text)[1]
    opened = tutor.post("/rooms", {"student": student_id, "topic": "Halves", "problem": "1/2 of 8?"})
    room = opened.headers["location"].rpartition("/")[2]
    with student.socket(room) as s, tutor.socket(room) as t:
        t.say("Hello Ben", "a1")
        assert text_of(s.next("message")) == "Hello Ben"


@pytest.mark.parametrize(
    ("path", "data", "says"),
    [
        ("/admin/classes", {"name": "", "grade": "5"}, "1 to 100 characters"),
        ("/admin/classes", {"name": "X", "grade": "99"}, "a number from 1 to 13"),
        ("/admin/people", {"name": "A", "role": "queen"}, "a role is admin, tutor, student, researcher"),
        ("/admin/people", {"name": "A", "role": "tutor", "login": "ADA", "password": PASSWORD}, "is taken"),
        (
            "/admin/people",
            {"name": "A", "role": "tutor", "login": "new", "password": "short"},
            "at least 10 characters",
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(admin, path, data, says):
    answer = admin.post(path, data, page="/admin")
    assert answer.status_code == 422
    assert says in answer.text


def test_arms_come_from_a_table_all_or_none_and_never_change(server, admin, school):
    def assign(table: str):
        return admin.post("/admin/arms", files={"table": ("arms.csv", table, "text/csv")}, page="/admin")

    broken = assign(f"tutor_id,arm\n{school.tutor},treatment\nnobody,control\n")
    assert "line 3: there is no tutor" in broken.text
    assert assign(f"tutor_id,arm\n{school.tutor},left\n").status_code == 422
    assert assign("who,what\n").status_code == 422
    assert assign(f"tutor_id,arm\n{school.tutor},treatment\n{school.other_tutor},0\n").status_code == 303
    assert assign(f"tutor_id,arm\n{school.tutor},treatment\n").status_code == 303, "the same again changes nothing"
    assert "arms do not change in a trial" in assign(f"tutor_id,arm\n{school.tutor},control\n").text.replace(
        "&#39;", "'"
    )


def test_use_and_costs_are_shown_by_tutor_and_by_session(admin, tutor, student, school):
    talked(tutor, student, school)
    tutor.post(f"/rooms/{school.room}/close", {"exit_score": "66.66"}, page=f"/rooms/{school.room}")
    page = re.sub(r"\s+", " ", admin.http.get("/admin").text)
    assert 'Dana Rivera</th><td>none</td><td class="number">1</td><td class="number">1</td>' in page
    rows = list(csv.DictReader(io.StringIO(admin.http.get("/data/sessions.csv").text)))
    row = next(row for row in rows if row["session_id"] == school.room)
    assert (row["used"], row["n_uses"], row["tutor_messages"], row["student_messages"]) == ("1", "1", "1", "1")
    assert (row["exit_ticket_passed_c"], row["exit_ticket_passed_u"], row["arm"]) == ("1", "1", "")
    untried = next(row for row in rows if row["session_id"] == school.other_room)
    assert (untried["exit_ticket_passed_c"], untried["exit_ticket_passed_u"]) == ("", "0")


def test_a_transcript_comes_as_json_csv_and_a_page_to_print(tutor, student, school):
    talked(tutor, student, school)
    record = json.loads(tutor.http.get(f"/rooms/{school.room}/transcript.json").text)
    assert [each["text"] for each in record["messages"]] == [r"What is $\frac{1}{2}$ of 8, Robbie?", "4"]
    assert record["student"] == "Robbie Miller"
    rows = list(csv.DictReader(io.StringIO(student.http.get(f"/rooms/{school.room}/transcript.csv").text)))
    assert [(row["seq"], row["speaker"], row["name"]) for row in rows] == [
        ("1", "tutor", "Dana Rivera"), ("2", "student", "Robbie Miller"),
    ]  # fmt: skip
    assert "<mfrac>" in tutor.http.get(f"/rooms/{school.room}/transcript.html").text
    assert tutor.http.get(f"/rooms/{school.room}/transcript.exe").status_code == 404


def test_the_words_of_old_closed_rooms_are_forgotten_and_no_others(server, admin, tutor, student, school):
    talked(tutor, student, school)

    async def age(session: Any) -> None:
        long_ago = schema.now() - timedelta(days=366)
        await session.execute(
            update(schema.Room).where(schema.Room.id == school.room).values(state="closed", closed_at=long_ago)
        )

    other = server.visitor(school.other_tutor)
    with other.socket(school.other_room) as line:
        line.say("a young room", "a1")
        line.next("ack")
    server.database(age)
    assert admin.post("/admin/retention", page="/admin").status_code == 303
    record = json.loads(admin.http.get(f"/rooms/{school.room}/transcript.json").text)
    assert ([each["text"] for each in record["messages"]], record["problem"]) == (["", ""], "")
    assert "a young room" in admin.http.get(f"/rooms/{school.other_room}/transcript.json").text


def test_an_erased_student_is_gone_from_everywhere(server, admin, tutor, student, school):
    talked(tutor, student, school)
    cookie = student.http.cookies["tutor"]
    with student.socket(school.room) as s:
        s.next("hello")
        assert admin.post(f"/admin/people/{school.student}/erase", page="/admin").status_code == 303
    assert admin.post(f"/admin/people/{school.student}/erase", page="/admin").status_code == 404

    async def everything(session: Any) -> str:
        found = []
        for table in (schema.Message, schema.HelpAsked, schema.SuggestionShown):
            of_room = select(table)
            found += [repr(vars(row)) for row in await session.scalars(of_room) if _room(row) in {school.room, None}]
        person = await session.get_one(schema.Person, school.student)
        return repr(vars(person)) + "".join(found)

    there = server.database(everything)
    assert "Robbie" not in there
    ghost = server.visitor()
    ghost.http.cookies.set("tutor", cookie, domain="127.0.0.1")
    assert ghost.http.get("/").headers["location"] == "/sign-in"
    with tutor.socket(school.room) as t:
        t.say("still there?", "a9")
        assert t.next("error")["code"] == "closed"


def _room(row: Any) -> str | None:
    return getattr(row, "room_id", None)


def test_nobody_erases_themselves(admin, school):
    assert admin.post(f"/admin/people/{school.admin}/erase", page="/admin").status_code == 422


def test_an_entry_that_is_changed_or_taken_out_of_the_account_shows(server, admin, school):
    admin.post("/admin/retention", page="/admin")

    async def check(session: Any) -> int | None:
        return await audit.first_broken(session)

    assert server.database(check) is None

    async def tamper(session: Any) -> tuple[int, int | None, int | None]:
        entry = await session.scalar(select(schema.AuditEntry).order_by(schema.AuditEntry.number.desc()).limit(1))
        was, entry.action = entry.action, "did nothing at all"
        await session.flush()
        changed = await audit.first_broken(session)
        entry.action = was
        middle = await session.get_one(schema.AuditEntry, entry.number - 1)
        await session.delete(middle)
        await session.flush()
        missing = await audit.first_broken(session)
        session.expunge(entry)
        return entry.number, changed, missing

    class Undo(Exception):
        """Nothing of this stays."""

    found = []

    async def tamper_and_undo(session: Any) -> None:
        found.append(await tamper(session))
        raise Undo

    with pytest.raises(Undo):
        server.database(tamper_and_undo)
    number, changed, missing = found[0]
    assert (changed, missing) == (number, number - 1)


@pytest.mark.parametrize(("given", "kept"), [("  Zoë \u202e  Lind\x00 ", "Zoë Lind"), ("e\u0301va", "éva")])
def test_names_are_kept_without_what_does_not_show(given, kept):
    assert people.clean_name(given) == kept


def test_forgetting_twice_forgets_nothing_more(server):
    async def twice(session: Any) -> tuple[int, int]:
        return await retention.forget_old(session, days=365), await retention.forget_old(session, days=365)

    assert server.database(twice)[1] == 0
