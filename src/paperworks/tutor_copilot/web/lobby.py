"""The first page: a person's rooms, and for tutors and administrators the way to open one."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..help.request import Strategy
from ..store import audit, people
from ..store import rooms as stored_rooms
from ..store.schema import Arm, Role, RoomState
from .site import form, page, redirect, room_of, signed_in, site, text_of


async def show_lobby(request: Request) -> Response:
    """A person's rooms; a researcher's first page is the data."""
    who = await signed_in(request)
    if who.person.role == Role.RESEARCHER:
        return redirect("/data")
    async with site(request).database.reading() as session:
        places = await stored_rooms.places_of(session, who.person)
        classes = await people.classes_of(session, who.person)
        students = {each.id: await people.members(session, each.id, Role.STUDENT) for each in classes}
    return page(request, "lobby.html", who, places=places, classes=classes, students=students)


async def do_open(request: Request) -> Response:
    """A tutor opens a room with a student of one of their classes."""
    who = await signed_in(request, Role.TUTOR)
    fields = await form(request, who)
    class_id, _, student_id = text_of(fields, "student").partition("/")
    try:
        async with site(request).database.writing() as session:
            room_id = await stored_rooms.open_room(
                session,
                class_id=class_id,
                tutor_id=who.person.id,
                student_id=student_id,
                topic=text_of(fields, "topic"),
                problem=text_of(fields, "problem"),
            )
            await audit.note(session, "opened a room", room_id, actor_id=who.person.id)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    return redirect(f"/rooms/{room_id}")


async def show_room(request: Request) -> Response:
    """The room: for its tutor with help, unless they are in the trial's control arm."""
    who = await signed_in(request, Role.TUTOR, Role.STUDENT)
    place = await room_of(request, who)
    async with site(request).database.reading() as session:
        arm = await stored_rooms.arm_of(session, who.person.id)
    has_help = who.person.role == Role.TUTOR and arm != Arm.CONTROL and place.state == RoomState.OPEN
    return page(
        request, "room.html", who, place=place, has_help=has_help, strategies=list(Strategy), engine=_engine(request)
    )


async def do_close(request: Request) -> Response:
    """The tutor ends a session, with the percentage of the exit ticket where one was tried."""
    who = await signed_in(request, Role.TUTOR)
    place = await room_of(request, who)
    fields = await form(request, who)
    score = _score(text_of(fields, "exit_score"))
    here = site(request)
    async with here.database.writing() as session:
        if await stored_rooms.close(session, place.id, exit_score=score):
            await audit.note(session, "closed a room", place.id, actor_id=who.person.id)
    await here.rooms.hub.closed(place.id)
    return redirect(f"/rooms/{place.id}")


def _score(given: str) -> float | None:
    if not given:
        return None
    try:
        score = float(given)
    except ValueError:
        score = -1.0
    if not 0 <= score <= 100:
        raise HTTPException(
            422, "an exit ticket's score is a percentage from 0 to 100, or nothing where none was tried"
        )
    return score


def _engine(request: Request) -> str:
    return site(request).rooms.engine.name
