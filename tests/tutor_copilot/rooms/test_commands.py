"""The commands: what they refuse in a sentence, what they make, and a server that starts by itself."""

from __future__ import annotations

import csv
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from paperworks.app.main import main
from paperworks.tutor_copilot.settings import Settings, from_environment, to_environment


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


def test_tutors_leave_for_the_lottery_and_come_back_with_arms(tmp_path: Path, capsys):
    url, people, tutors, arms = f"sqlite:///{tmp_path / 'rooms.db'}", *(tmp_path / f"{n}.csv" for n in "ptl")
    people.write_text("name,role,class,grade\nDana,tutor,Five A,5\nTom,tutor,Five B,5\nRobbie,student,Five A,5\n")
    assert command("import-people", str(people), "--out", str(tmp_path / "links.csv"), "--database", url) == 0
    assert command("export", "tutors", "--out", str(tutors), "--database", url) == 0
    rows = list(csv.DictReader(tutors.open()))
    assert [row["site"] for row in rows] == ["Five A", "Five B"]
    assert "Dana" not in tutors.read_text()
    arms.write_text("tutor_id,arm\n" + "".join(f"{row['tutor_id']},{at}\n" for at, row in enumerate(rows)))
    assert command("import-arms", str(arms), "--database", url) == 0
    assert "2 tutors assigned" in capsys.readouterr().out
    assert command("export", "tutors", "--out", str(tutors), "--database", url) == 0
    assert list(csv.DictReader(tutors.open())) == [], "nobody is drawn twice"
    assert command("export", "sessions", "--out", str(tutors), "--database", url) == 0
    assert tutors.read_text().startswith("session_id,tutor_id,student_id,student_tutor,stratum,grade,arm,used,n_uses")
    assert command("export", "secrets", "--out", str(tutors), "--database", url) == 2


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
