"""Help for the tutor of a room: asks the engine, streams what it writes to the tutor alone, and keeps account."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncSession

from ..help.request import HISTORY, Delta, HelpEngine, HelpRequest, HelpUnavailable, Strategy, Suggestion, Turn
from ..store import audit, help_given, messages, people
from ..store import rooms as stored_rooms
from ..store.database import Database
from ..store.schema import Arm, HelpEventKind, Role, new_id
from ..store.turns import take_turn
from .connection import Connection
from .frames import Ask, FrameError, Opinion
from .frames import error as error_frame

A_MINUTE, A_DAY = 6, 200
"""Requests for help that a tutor may make."""

logger = logging.getLogger(__name__)


class Assistance:
    """Gives help to one connection, one request at a time: a new one, or a message, ends the one under way."""

    def __init__(self, database: Database, engine: HelpEngine, connection: Connection) -> None:
        self._database = database
        self._engine = engine
        self._connection = connection
        self._task: asyncio.Task[None] | None = None

    async def ask(self, frame: Ask) -> None:
        """Begin to help. Raises FrameError where this person may not have help, or not so often."""
        strategies = frame.chosen()
        asked_id = await self._admitted(frame)
        request = await self._request(frame, strategies)
        await self.stop()
        self._task = asyncio.create_task(self._give(frame, asked_id, request))

    async def opinion(self, frame: Opinion) -> None:
        """Keep what the tutor thinks of a suggestion. Raises FrameError for one that was not theirs."""
        async with self._database.writing() as session:
            await self._require_shown(session, frame.suggestion)
            await help_given.note_event(session, frame.suggestion, HelpEventKind(frame.kind))

    async def original(self, suggestion_id: str) -> str:
        """The text of a suggestion that the tutor now sends. Raises FrameError for one that was not theirs."""
        async with self._database.reading() as session:
            return await self._require_shown(session, suggestion_id)

    async def stop(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _admitted(self, frame: Ask) -> str:
        """The id of a request that may be made, kept already, so that it counts however it ends.

        The server decides, whatever the page shows; who tries without a right to it is written down.
        """
        person, place = self._connection.person, self._connection.place
        async with self._database.writing() as session:
            refusal = await self._refusal(session, frame.id)
            if refusal is None:
                return await self._note_asked(session, frame)
            if refusal.code == "forbidden":
                await audit.note(session, "asked for help without a right to it", place.id, actor_id=person.id)
        raise refusal

    async def _refusal(self, session: AsyncSession, about: str) -> FrameError | None:
        person = self._connection.person
        if person.role != Role.TUTOR or await stored_rooms.arm_of(session, person.id) == Arm.CONTROL:
            return FrameError("forbidden", "there is no help here", about=about)
        await take_turn(session, f"help {person.id}")
        use = await help_given.use_of(session, person.id)
        if use.last_minute >= A_MINUTE or use.last_day >= A_DAY:
            return FrameError("too_often", f"help comes {A_MINUTE} times a minute and {A_DAY} a day", about=about)
        return None

    async def _require_shown(self, session: AsyncSession, suggestion_id: str) -> str:
        person, place = self._connection.person, self._connection.place
        there = await help_given.shown(session, suggestion_id, room_id=place.id, tutor_id=person.id)
        if there is None:
            raise FrameError("forbidden", "there is no such suggestion")
        return there.text

    async def _request(self, frame: Ask, strategies: tuple[Strategy, ...]) -> HelpRequest:
        """What the engine is asked."""
        person, place = self._connection.person, self._connection.place
        async with self._database.reading() as session:
            avoid = [await self._require_shown(session, suggestion_id) for suggestion_id in frame.instead]
            recent = await messages.latest(session, place.id, HISTORY)
            classmates = await people.members(session, place.class_id)
            use = await help_given.use_of(session, person.id)
            easier = await help_given.too_hard(session, place.id)
        return HelpRequest(
            strategies=strategies,
            turns=tuple(
                Turn(speaker="tutor" if each.role == Role.TUTOR else "student", text=each.text) for each in recent
            ),
            topic=place.topic,
            problem=place.problem,
            grade=max(1, place.grade - easier),
            tutor_name=place.tutor_name,
            student_name=place.student_name,
            other_names=tuple(each.name for each in classmates if each.id not in {place.tutor_id, place.student_id}),
            spent_usd=use.dollars_last_day,
            avoid=tuple(avoid),
        )

    async def _note_asked(self, session: AsyncSession, frame: Ask) -> str:
        person, place = self._connection.person, self._connection.place
        for suggestion_id in frame.instead:
            await self._require_shown(session, suggestion_id)
            await help_given.note_event(session, suggestion_id, HelpEventKind.REGENERATED)
        recent = await messages.latest(session, place.id, 1)
        return await help_given.note_asked(
            session,
            room_id=place.id,
            tutor_id=person.id,
            strategies=frame.strategies,
            context_to=recent[0].seq if recent else 0,
            engine=self._engine.name,
        )

    async def _give(self, frame: Ask, asked_id: str, request: HelpRequest) -> None:
        given: list[tuple[str, Suggestion]] = []
        begun, outcome = monotonic(), "stopped"
        try:
            async with aclosing(self._engine.suggest(request)) as pieces:  # type: ignore[type-var]  # a generator
                async for piece in pieces:
                    self._pass_on(frame.id, piece, given)
            outcome = "given"
        except HelpUnavailable as error:
            outcome = "unavailable"
            self._connection.send(error_frame(FrameError("unavailable", str(error), about=frame.id)))
        except Exception as error:
            outcome = "failed"
            logger.error("the help failed: %s", type(error).__name__)  # what it says may repeat what people wrote
            says = "the help has failed; you can go on without it"
            self._connection.send(error_frame(FrameError("unavailable", says, about=frame.id)))
        finally:
            await asyncio.shield(self._note_given(asked_id, given, outcome, monotonic() - begun))
        self._connection.send({"t": "help_done", "about": frame.id})

    def _pass_on(self, about: str, piece: Delta | Suggestion, given: list[tuple[str, Suggestion]]) -> None:
        if isinstance(piece, Delta):
            self._connection.send({"t": "delta", "about": about, "column": piece.column, "text": piece.text})
            return
        given.append((new_id(), piece))
        self._connection.send(
            {
                "t": "suggestion",
                "about": about,
                "column": piece.column,
                "id": given[-1][0],
                "strategy": piece.strategy,
                "label": piece.strategy.label,
                "text": piece.text,
                "engine": piece.engine,
                "note": piece.note,
            }
        )

    async def _note_given(
        self, asked_id: str, given: list[tuple[str, Suggestion]], outcome: str, latency_s: float
    ) -> None:
        async with self._database.writing() as session:
            await help_given.note_given(session, asked_id, given, outcome=outcome, latency_s=latency_s)
