"""Which engine a server uses, by its settings."""

from __future__ import annotations

from dataclasses import dataclass

from .request import HelpEngine


@dataclass(frozen=True, kw_only=True)
class HelpSettings:
    """Where help comes from. Without ``llm`` it comes from rules on this machine.

    ``llm`` is the address of a server that speaks OpenAI's protocol, ``model`` the model it is asked for, and
    ``key_variable`` the environment variable with its key, "" for none. ``dollars_a_day`` is what one tutor may spend.
    """

    llm: str = ""
    model: str = ""
    key_variable: str = ""
    dollars_a_day: float = 1.0


def engine_for(settings: HelpSettings) -> HelpEngine:
    """The engine that ``settings`` name."""
    from .wording import OpenQuestions

    return OpenQuestions()
