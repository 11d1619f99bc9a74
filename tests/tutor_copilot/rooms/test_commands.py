"""The commands: what they refuse in a sentence, what they make, and a server that starts by itself."""

from __future__ import annotations

import csv
import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from paperworks.app.main import main
from paperworks.tutor_copilot.office import in_database
from paperworks.tutor_copilot.settings import Settings, from_environment, to_environment
from paperworks.tutor_copilot.store import help_given, people, rooms
from paperworks.tutor_copilot.store.schema import Enrolment, Person, Role


def command(*words: str) -> int:
    return main(["tutor-copilot", *words])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["serve", "--workers", "2"], "several workers share rooms through PostgreSQL"),
        (["serve", "--host", "0.0.0.0"], "serve it on 127.0.0.1, or use --no-demo"),
        (["serve", "--database", "mysql://x/y"], "use sqlite:///FILE or postgresql://HOST/NAME"),
        (["serve", "--database", "sqlite://"], "name a file"),
        (["serve", "--llm", "http://127.0.0.1:1"], "--llm and --model come together"),
        (["serve", "--database", "postgresql://nobody@127.0.0.1:1/x"], "the database cannot be used"),
        (["create-admin", "--name", "A", "--login", "a", "--password", "short"], "at least 10 characters"),
        (["import-people", "no-such.csv", "--out", "x.csv"], "cannot be read"),
    ],
)
def test_what_cannot_be_started_is_said_in_one_sentence(capsys, words, says):
    assert command(*words) == 2
    error = capsys.readouterr().err
    assert says in error
    assert len(error.strip().splitlines()) == 1


def test_a_port_that_is_taken_is_named(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert command("serve", "--port", str(taken.getsockname()[1])) == 2
    assert "choose another --port" in capsys.readouterr().err


def test_people_come_from_a_table_all_or_none(tmp_path: Path, capsys):
    url, out = f"sqlite:///{tmp_path / 'rooms.db'}", tmp_path / "links.csv"
    table = tmp_path / "people.csv"
    table.write_text(
        "name,role,class,grade\nDana Rivera,tutor,Five A,5\nRobbie,student,Five A,5\nNora,nurse,Five A,5\n"
    )
    assert command("import-people", str(table), "--out", str(out), "--database", url) == 2
    assert "line 4" in capsys.readouterr().err
    assert not out.exists()
    table.write_text("name,role,class,grade\nDana Rivera,tutor,Five A,5\nRobbie,student,Five A,5\n")
    assert (
        command("import-people", str(table), "--out", str(out), "--database", url, "--address", "https://t.example")
        == 0
    )
    rows = list(csv.DictReader(out.open()))
    assert [row["name"] for row in rows] == ["Dana Rivera", "Robbie"]
    assert all(row["link"].startswith("https://t.example/join/") for row in rows)
    for private in (out, tmp_path / "rooms.db"):
        assert private.stat().st_mode & 0o077 == 0, "for nobody else on the machine"
    assert (
        command("create-admin", "--name", "Ada", "--login", "ada", "--password", "a long one indeed", "--database", url)
        == 0
    )
    assert (
        command("create-admin", "--name", "Ada", "--login", "ADA", "--password", "a long one indeed", "--database", url)
        == 2
    )


async def lessons(session: Any) -> None:
    """Twenty tutors have three sessions each; those with help pass more of them."""
    for tutor in await session.scalars(select(Person).where(Person.role == Role.TUTOR).order_by(Person.name)):
        enrolment = await session.scalar(select(Enrolment).where(Enrolment.person_id == tutor.id))
        student = (await people.members(session, enrolment.class_id, Role.STUDENT))[0]
        treated = await rooms.arm_of(session, tutor.id) == "treatment"
        for number in range(3):
            places = {"class_id": enrolment.class_id, "tutor_id": tutor.id, "student_id": student.id}
            room = await rooms.open_room(session, **places, topic="t", problem="p")
            if treated and number:
                asked = {"tutor_id": tutor.id, "strategies": ["ask_question"], "context_to": 0, "engine": "none"}
                await help_given.note_asked(session, room_id=room, **asked)
            await rooms.close(session, room, exit_score=100.0 if number < 1 + treated else 0.0)


def test_tutors_leave_for_the_lottery_come_back_with_arms_and_their_sessions_are_analysed(tmp_path: Path, capsys):
    url = f"sqlite:///{tmp_path / 'rooms.db'}"
    table, tutors, arms, sessions, page = (
        str(tmp_path / name) for name in ("p.csv", "t.csv", "a.csv", "s.csv", "r.html")
    )
    lines = [f"Tutor {n},tutor,Class {n % 2},5" for n in range(20)] + ["Ben,student,Class 0,5", "Eva,student,Class 1,5"]
    Path(table).write_text("\n".join(["name,role,class,grade", *lines]))
    on_disk = ("--database", url)
    assert command("import-people", table, "--out", str(tmp_path / "links.csv"), *on_disk) == 0
    assert command("export", "tutors", "--out", tutors, *on_disk) == 0
    assert not re.search("Tutor|Ben", Path(tutors).read_text()), "no names leave"
    assert command("trial", "assign", tutors, "--out", arms, "--seed", "7", "--strata", "site") == 0
    assert command("import-arms", arms, *on_disk) == 0
    assert "20 tutors assigned" in capsys.readouterr().out
    assert command("export", "tutors", "--out", tutors, *on_disk) == 0
    assert Path(tutors).read_text().splitlines() == ["tutor_id,site"], "nobody is drawn twice"
    in_database(url, lessons)
    assert command("export", "sessions", "--out", sessions, *on_disk) == 0
    outcome = ("--outcome", "exit_ticket_passed_u", "--reps", "99", "--json")
    capsys.readouterr()
    assert command("trial", "analyse", sessions, "--out", page, *outcome) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["value"] == pytest.approx(1 / 3), "two of three sessions are passed with help, one of three without"
    assert Path(page).exists()
    assert command("export", "secrets", "--out", sessions, *on_disk) == 2


def test_settings_survive_the_way_to_a_worker():
    settings = Settings(
        database="postgres://tutor@h/x", origins=("https://a", "https://b"), https=True, retention_days=9
    )
    assert from_environment(to_environment(settings)) == settings
    assert settings.database == "postgresql+psycopg://tutor@h/x"
    with pytest.raises(ValueError, match="TUTOR_DATABASE is not set"):
        from_environment({})


def test_the_commands_import_nothing_heavy():
    probe = (
        "import sys; import paperworks.tutor_copilot.cli, paperworks.tutor_copilot.paper;"
        "heavy = {'numpy', 'sqlalchemy', 'starlette', 'uvicorn', 'sympy', 'pandas'};"
        "print(heavy & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout == "set()\n"
