"""The administrator's page: classes, people, arms of the trial, use and costs, retention, and who did what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..store import arms, audit, people, retention, sign_in, usage
from ..store.schema import AuditEntry, Classroom, Enrolment, Message, Person, Role
from ..store.sign_in import Visitor
from .site import file_of, form, page, redirect, signed_in, site, text_of

LINK_LASTS = timedelta(days=2)
_LATELY = 50


async def show(request: Request) -> Response:
    """The page."""
    return await _page(request, await signed_in(request, Role.ADMIN))


async def add_class(request: Request) -> Response:
    """A new class."""
    who = await signed_in(request, Role.ADMIN)
    fields = await form(request, who)
    grade = text_of(fields, "grade")
    async with site(request).database.writing() as session:
        added = await people.add_classroom(
            session, name=text_of(fields, "name"), grade=int(grade) if grade.isdecimal() else 0
        )
        await audit.note(session, "added a class", added.id, actor_id=who.person.id)
    return redirect("/admin#classes")


async def add_person(request: Request) -> Response:
    """A new person: with login and password, or with a link that is shown once."""
    who = await signed_in(request, Role.ADMIN)
    fields = await form(request, who)
    login, classroom = text_of(fields, "login"), text_of(fields, "class")
    async with site(request).database.writing() as session:
        added = await people.add_person(
            session,
            name=text_of(fields, "name"),
            role=Role(text_of(fields, "role")),
            classes=[classroom] if classroom else [],
            login=login or None,
            password=str(fields.get("password", "")) if login else None,
        )
        await audit.note(session, f"added a {added.role}", added.id, actor_id=who.person.id)
        secret = None if login else await sign_in.make_link(session, added.id, lasts=LINK_LASTS)
    return redirect("/admin#people") if secret is None else await _page(request, who, link=(added.name, secret))


async def make_link(request: Request) -> Response:
    """A link for somebody, shown once."""
    who, person = await _about(request)
    async with site(request).database.writing() as session:
        secret = await sign_in.make_link(session, person.id, lasts=LINK_LASTS)
        await audit.note(session, "made a link", person.id, actor_id=who.person.id)
    return await _page(request, who, link=(person.name, secret))


async def sign_out(request: Request) -> Response:
    """Sign somebody out everywhere."""
    who, person = await _about(request)
    here = site(request)
    async with here.database.writing() as session:
        await sign_in.end_all(session, person.id)
        await audit.note(session, "signed somebody out", person.id, actor_id=who.person.id)
    await here.rooms.hub.sign_out(person.id)
    return redirect("/admin#people")


async def erase(request: Request) -> Response:
    """Forget somebody: name, words, and all that was said to them."""
    who, person = await _about(request)
    if person.id == who.person.id:
        raise HTTPException(422, "you cannot erase yourself")
    here = site(request)
    async with here.database.writing() as session:
        await retention.erase(session, person.id)
        await audit.note(session, "erased somebody", person.id, actor_id=who.person.id)
    await here.rooms.hub.sign_out(person.id)
    return redirect("/admin#people")


async def assign(request: Request) -> Response:
    """Put tutors into the trial's arms, by a table."""
    who = await signed_in(request, Role.ADMIN)
    table = await file_of(await form(request, who), "table")
    async with site(request).database.writing() as session:
        new = await arms.assign_from_table(session, table)
        await audit.note(session, f"assigned {new} tutors", "arms", actor_id=who.person.id)
    return redirect("/admin#arms")


async def forget(request: Request) -> Response:
    """Forget now what is older than it may become."""
    who = await signed_in(request, Role.ADMIN)
    await form(request, who)
    here = site(request)
    async with here.database.writing() as session:
        rooms = await retention.forget_old(session, days=here.settings.retention_days)
        await audit.note(session, f"forgot the words of {rooms} rooms", "retention", actor_id=who.person.id)
    return redirect("/admin#retention")


async def _about(request: Request) -> tuple[Visitor, Person]:
    """An administrator, and the person in the address."""
    who = await signed_in(request, Role.ADMIN)
    await form(request, who)
    async with site(request).database.reading() as session:
        person = await session.get(Person, request.path_params["person"])
    if person is None or person.erased_at is not None:
        raise HTTPException(404, "there is no such person")
    return who, person


async def _page(request: Request, who: Visitor, link: tuple[str, str] | None = None) -> Response:
    here = site(request)
    async with here.database.reading() as session:
        classes = list(await session.scalars(select(Classroom).order_by(Classroom.name)))
        everybody = list(
            await session.scalars(select(Person).where(Person.erased_at.is_(None)).order_by(Person.role, Person.name))
        )
        enrolled = (await session.execute(select(Enrolment.person_id, Enrolment.class_id))).all()
        values: dict[str, Any] = {
            "tutors": await usage.tutors(session),
            "n_messages": await session.scalar(select(func.count()).select_from(Message)),
            "lately": list(await session.scalars(select(AuditEntry).order_by(AuditEntry.number.desc()).limit(_LATELY))),
            "broken": await audit.first_broken(session),
        }
    names = {each.id: each.name for each in classes}
    return page(
        request,
        "admin.html",
        who,
        classes=classes,
        everybody=everybody,
        names={each.id: each.name for each in everybody},
        classes_of={person: [names[c] for p, c in enrolled if p == person] for person, _ in enrolled},
        roles=[Role.STUDENT, Role.TUTOR, Role.RESEARCHER, Role.ADMIN],
        link=None if link is None else (link[0], f"{request.base_url}join/{link[1]}"),
        days=here.settings.retention_days,
        engine=here.rooms.engine.name,
        **values,
    )
