"""The help that tutors asked for: what was asked, shown, done with it, and paid for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ..help.request import Suggestion
from .schema import HelpAsked, HelpEvent, HelpEventKind, SuggestionShown, new_id, now

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Use:
    """How much help a tutor asked for lately."""

    last_minute: int
    last_day: int
    dollars_last_day: float


async def use_of(session: AsyncSession, tutor_id: str) -> Use:
    """A tutor's use in the last minute and the last 24 hours."""
    at = now()
    day = select(func.count(), func.coalesce(func.sum(HelpAsked.cost_usd), 0.0)).where(
        HelpAsked.tutor_id == tutor_id, HelpAsked.created_at > at - _DAY
    )
    asked, dollars = (await session.execute(day)).one()
    minute = await session.scalar(
        select(func.count())
        .select_from(HelpAsked)
        .where(HelpAsked.tutor_id == tutor_id, HelpAsked.created_at > at - _MINUTE)
    )
    return Use(last_minute=minute or 0, last_day=asked, dollars_last_day=float(dollars))


async def note_asked(
    session: AsyncSession, *, room_id: str, tutor_id: str, strategies: Sequence[str], context_to: int, engine: str
) -> str:
    """The id of a new request for help, kept before any is given: what is cut off counts as asked, too."""
    asked = HelpAsked(
        room_id=room_id, tutor_id=tutor_id, strategies=list(strategies), context_to=context_to, engine=engine
    )
    session.add(asked)
    await session.flush()
    return asked.id


async def note_given(
    session: AsyncSession,
    asked_id: str,
    suggestions: Sequence[tuple[str, Suggestion]],
    *,
    outcome: str,
    latency_s: float,
) -> None:
    """Keep what came of a request: suggestions with the ids under which they were shown."""
    session.add_all(
        SuggestionShown(
            id=suggestion_id,
            asked_id=asked_id,
            position=given.column,
            strategy=given.strategy,
            text=given.text,
            engine=given.engine,
            note=given.note,
            flags=list(given.flags),
        )
        for suggestion_id, given in suggestions
    )
    asked = await session.get_one(HelpAsked, asked_id)
    asked.outcome = outcome
    asked.latency_s = latency_s
    asked.sent_out = list(dict.fromkeys(given.sent_out for _, given in suggestions if given.sent_out))
    asked.prompt_tokens = sum(given.prompt_tokens for _, given in suggestions)
    asked.completion_tokens = sum(given.completion_tokens for _, given in suggestions)
    asked.cost_usd = sum(given.cost_usd for _, given in suggestions)
    await session.flush()


async def shown(session: AsyncSession, suggestion_id: str, *, room_id: str, tutor_id: str) -> SuggestionShown | None:
    """A suggestion, if it was shown to that tutor in that room."""
    return await session.scalar(
        select(SuggestionShown)
        .join(HelpAsked, HelpAsked.id == SuggestionShown.asked_id)
        .where(SuggestionShown.id == suggestion_id, HelpAsked.room_id == room_id, HelpAsked.tutor_id == tutor_id)
    )


async def note_event(session: AsyncSession, suggestion_id: str, kind: HelpEventKind) -> None:
    """Keep what a tutor made of a suggestion."""
    session.add(HelpEvent(id=new_id(), suggestion_id=suggestion_id, kind=kind))
    await session.flush()


async def too_hard(session: AsyncSession, room_id: str) -> int:
    """How often a tutor said in this room that a suggestion was too hard for the grade."""
    found = await session.scalar(
        select(func.count())
        .select_from(HelpEvent)
        .join(SuggestionShown, SuggestionShown.id == HelpEvent.suggestion_id)
        .join(HelpAsked, HelpAsked.id == SuggestionShown.asked_id)
        .where(HelpAsked.room_id == room_id, HelpEvent.kind == HelpEventKind.TOO_HARD)
    )
    return found or 0
