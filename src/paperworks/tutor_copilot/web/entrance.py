"""Signing in and out, links for children, and the consent that comes before the first word."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..store import audit, people, sign_in
from ..store.schema import Person, now
from .site import CONSENT_VERSION, GoTo, form, page, redirect, site, text_of, visitor


async def show_sign_in(request: Request) -> Response:
    """The page with login and password."""
    return page(request, "sign_in.html")


async def do_sign_in(request: Request) -> Response:
    """Sign in by password. Whether the login exists does not show, in words or in time."""
    fields = await request.form(max_fields=10, max_files=0)
    login, password = people.clean_login(text_of(fields, "login")), str(fields.get("password", ""))
    address = request.client.host if request.client else ""
    database = site(request).database
    async with database.writing() as session:
        is_admitted = await sign_in.admit(session, login, address)
    if not is_admitted:
        says = "Too many wrong passwords. Wait a minute, then try again."
        return page(request, "sign_in.html", status=429, says=says)
    async with database.reading() as session:
        person = await people.with_password(session, login, password)
    if person is None:
        return page(request, "sign_in.html", status=401, says="There is no such login and password.")
    async with database.writing() as session:
        await sign_in.forgive(session, login, address)
    return await _enter(request, person, how="signed in by password")


async def show_join(request: Request) -> Response:
    """Whom a link is for. Looking at it does not use it up: programs that preview links do that too."""
    async with site(request).database.reading() as session:
        person = await sign_in.behind_link(session, request.path_params["secret"])
    if person is None:
        return _used_up(request)
    return page(request, "join.html", name=person.name)


async def do_join(request: Request) -> Response:
    """Sign in by link."""
    async with site(request).database.writing() as session:
        person = await sign_in.use_link(session, request.path_params["secret"])
    return await _enter(request, person, how="signed in by link") if person is not None else _used_up(request)


async def do_sign_out(request: Request) -> Response:
    """Sign this browser out; its sockets end with it."""
    who = await visitor(request)
    if who is None:
        raise GoTo("/sign-in")
    await form(request, who)
    here = site(request)
    async with here.database.writing() as session:
        await sign_in.end(session, request.cookies[here.cookie])
    await here.rooms.hub.sign_out(who.person.id)
    answer = redirect("/sign-in")
    answer.delete_cookie(here.cookie, secure=here.settings.https, httponly=True, samesite="lax")
    return answer


async def show_consent(request: Request) -> Response:
    """What is kept of what people write, and for how long."""
    who = await visitor(request)
    if who is None:
        raise GoTo("/sign-in")
    return page(request, "consent.html", who, days=site(request).settings.retention_days)


async def do_consent(request: Request) -> Response:
    """Somebody agrees."""
    who = await visitor(request)
    if who is None:
        raise GoTo("/sign-in")
    fields = await form(request, who)
    if text_of(fields, "agrees") != "yes":
        raise HTTPException(422, "tick the box to agree, or sign out")
    async with site(request).database.writing() as session:
        person = await session.get_one(Person, who.person.id)
        person.consented_at, person.consent_version = now(), CONSENT_VERSION
        await audit.note(session, f"agreed to text {CONSENT_VERSION}", person.id, actor_id=person.id)
    return redirect("/")


async def _enter(request: Request, person: Person, *, how: str) -> Response:
    """Give the browser a new secret, whatever it brought along: a secret that somebody planted opens nothing."""
    here = site(request)
    async with here.database.writing() as session:
        secret = await sign_in.begin(session, person, instead_of=request.cookies.get(here.cookie))
        await audit.note(session, how, person.id, actor_id=person.id)
    answer = redirect("/")
    answer.set_cookie(
        here.cookie,
        secret,
        max_age=int(sign_in.LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=here.settings.https,
    )
    return answer


def _used_up(request: Request) -> Response:
    says = "This link was used already, or is too old. Ask for a new one."
    return page(request, "message.html", status=410, title="No way in", says=says)
