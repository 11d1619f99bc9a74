"""Suggestions where no mathematics is found: each strategy, by asking for the student's thinking."""

from __future__ import annotations

from collections.abc import AsyncIterator

from .request import Delta, HelpRequest, Strategy, Suggestion

_WORDS: dict[Strategy, tuple[str, ...]] = {
    Strategy.EXPLAIN_CONCEPT: (
        "Let's say in our own words what this problem is about before we work on it.",
        "Which idea from our lesson do you think this problem is using?",
        "Let's draw a picture of what is happening in this problem.",
    ),
    Strategy.ASK_QUESTION: (
        "Can you tell me how you got that?",
        "What did you do first, and why?",
        "Which part of this are you most sure about?",
    ),
    Strategy.PROVIDE_HINT: (
        "Look again at the first step: what is it asking you to do?",
        "What do you already know that could help with this?",
        "Try reading the problem once more and underline what it asks for.",
    ),
    Strategy.PROVIDE_STRATEGY: (
        "Try writing down each step on its own line, so we can look at them together.",
        "Try a drawing or a number line to see what is going on.",
        "Try to guess about how big the answer should be, then compare.",
    ),
    Strategy.PROVIDE_EXAMPLE: (
        "Think of the last one we solved together: what was our first step there?",
        "Let's do one with smaller numbers together, and then come back to this one.",
        "Shall I show you one like it, step by step, before you try again?",
    ),
    Strategy.PROVIDE_CORRECTION: (
        "You are close: one step needs another look, can you find which one?",
        "Most of this works; let's check the last step together.",
        "Let's go over it slowly, there is one small thing to mend.",
    ),
    Strategy.PROVIDE_SIMILAR_PROBLEM: (
        "Can you make up a problem like this one with easier numbers?",
        "What if the numbers were smaller: how would you do it then?",
        "Let's try one that looks like this, and compare the two.",
    ),
    Strategy.SIMPLIFY_QUESTION: (
        "Let's take only the first part: what would you do with it?",
        "Forget the rest for a moment: what is this first number telling us?",
        "What is the smallest question inside this problem?",
    ),
    Strategy.AFFIRM_CORRECT_ANSWER: (
        "How could you tell a friend why this works?",
        "I like how you went about this: what helped you to see it?",
        "How sure are you of this, and what makes you sure?",
    ),
    Strategy.ENCOURAGE_STUDENT: (
        "I can see you are thinking hard about this, keep going.",
        "It is fine to be unsure here; let's look at it together.",
        "You have worked through harder ones than this, let's take it step by step.",
    ),
}


class OpenQuestions:
    """Fixed sentences, one a column, that differ where a strategy is named several times. Not a language model."""

    name = "fixed sentences on this machine"

    async def suggest(self, request: HelpRequest) -> AsyncIterator[Delta | Suggestion]:
        """Sentences of each column's strategy that are not among those to avoid, while there are such."""
        used = set(request.avoid)
        for column, strategy in enumerate(request.strategies):
            text = _unused(_WORDS[strategy], used, start=len(used))
            used.add(text)
            yield Delta(column=column, text=text)
            yield Suggestion(column=column, strategy=strategy, text=text, engine=self.name)

    async def close(self) -> None:
        """Nothing is held."""


def _unused(sentences: tuple[str, ...], used: set[str], *, start: int) -> str:
    fresh = [sentence for sentence in sentences if sentence not in used]
    return fresh[0] if fresh else sentences[start % len(sentences)]
