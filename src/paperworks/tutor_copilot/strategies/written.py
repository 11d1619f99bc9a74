"""Tutor messages for training, made from sentences with gaps: seven strategies, and messages with none of them.

They are synthetic: nobody said them to a student. What the classifier is tested on was written apart from them.
"""

from __future__ import annotations

import random

__all__ = ["LABELS", "Turn", "synthetic_turns"]

Turn = tuple[str, frozenset[str]]

LABELS = {
    "retry": "prompts the student to try again",
    "affirm": "affirms a correct attempt",
    "explain": "prompts the student to explain",
    "guide": "asks a question to guide the student's thinking",
    "give_away": "gives the answer or its explanation away",
    "encourage": "encourages in a general way",
    "solution": "gives a strategy to solve it",
}
"""The seven strategies whose use the trial compared (2.2)."""

_SENTENCES = {
    "retry": (
        "Can you try that again?",
        "Give it another try.",
        "Not quite, try {n1} {op} {n2} once more.",
        "Want to redo that one?",
        "Let's try it one more time.",
        "Check your work and try again.",
        "Hmm, have another go at it.",
        "Almost, try again please.",
        "Take another look and tell me what you get.",
        "Try solving it again.",
        "Go back and do it over.",
        "Let's give this one another shot.",
    ),
    "affirm": (
        "Yes, {n3} is correct!",
        "That's right!",
        "Correct!",
        "Exactly, you got it.",
        "Yep, that is the right answer.",
        "You are right, it is {n3}.",
        "Perfect, {n3} is it.",
        "Right on!",
        "Yes! That is what I got too.",
        "Good, your answer is correct.",
        "You got it right.",
        "That is exactly it.",
    ),
    "explain": (
        "Can you explain how you got {n3}?",
        "How did you get that?",
        "Tell me how you know.",
        "Why do you think so?",
        "Walk me through your steps.",
        "What made you choose {op}?",
        "How did you figure that out?",
        "Can you tell me what you did first?",
        "Explain your thinking to me.",
        "Show me how you solved it.",
        "Why did you do that step?",
        "What was your reasoning?",
    ),
    "guide": (
        "What do we do first with {n1} {op} {n2}?",
        "What is {n1} {op} {n2}?",
        "Which number goes on top?",
        "What does the {n1} stand for?",
        "How many groups of {n1} are there?",
        "What should we do next?",
        "What happens when the denominators are different?",
        "What operation do you think we need here?",
        "Do you see what is the same in both?",
        "What is the place value of the {n1}?",
        "What do you notice about {n1} and {n2}?",
        "If we take {n1} away, how many are left?",
    ),
    "give_away": (
        "The answer is {n3}.",
        "So {n1} {op} {n2} is {n3}.",
        "It should be {n3} because you carry the one.",
        "{n1} {op} {n2} = {n3}.",
        "You have to divide both sides by {n1}, so x is {n3}.",
        "No, it is {n3}.",
        "The correct answer would be {n3}.",
        "That makes {n3} in total.",
        "It equals {n3} since {n1} {op} {n2} gives that.",
        "We get {n3} as the final answer.",
        "So x equals {n3}.",
        "The area is {n3} square units.",
    ),
    "encourage": (
        "Great job!",
        "You are doing great.",
        "Keep it up!",
        "Nice work today!",
        "I know you can do it.",
        "Awesome effort!",
        "You are working so hard.",
        "Good job, keep going.",
        "I am proud of you.",
        "Way to go!",
        "You are getting better at this.",
        "Fantastic!",
    ),
    "solution": (
        "To add fractions, first find a common denominator.",
        "Multiply the length by the width to find the area.",
        "Line up the decimals before you {verb}.",
        "First you {verb} the ones, then the tens.",
        "Use a number line and jump {n1} steps.",
        "You can draw a picture to solve it.",
        "Divide the top and the bottom by {n1}.",
        "Start by doing what is in the parentheses.",
        "When you divide fractions, flip the second one and multiply.",
        "Subtract {n1} from both sides first.",
        "You need to regroup from the tens place.",
        "Round {n1} to the nearest ten and then {verb}.",
    ),
    "": (
        "Hi, how are you today?",
        "Can you see my screen?",
        "Let's start with question {n1}.",
        "One moment please.",
        "Are you ready?",
        "Thanks for coming.",
        "We have {n1} minutes left.",
        "See you on Monday!",
        "Please read the problem out loud.",
        "Can you hear me?",
        "Next question.",
        "Let me share the board.",
    ),
}
_JOINED = (
    ("affirm", "encourage"),
    ("affirm", "explain"),
    ("encourage", "guide"),
    ("retry", "guide"),
    ("retry", "solution"),
    ("encourage", "retry"),
)


def synthetic_turns(count: int, rng: random.Random) -> list[Turn]:
    """``count`` messages with their strategies: one sentence, or two of different strategies."""
    turns = []
    for _ in range(count):
        labels = rng.choice(_JOINED) if rng.random() < 0.25 else (rng.choice(list(_SENTENCES)),)
        text = " ".join(_filled(rng.choice(_SENTENCES[label]), rng) for label in labels)
        turns.append((_as_typed(text, rng), frozenset(label for label in labels if label)))
    return turns


def _filled(sentence: str, rng: random.Random) -> str:
    numbers = {
        f"n{place}": str(rng.choice((rng.randint(1, 20), rng.randint(10, 99), "1/2", "3/4", "0.5")))
        for place in (1, 2, 3)
    }
    op = rng.choice(("+", "-", "x", "times", "plus", "minus", "divided by"))
    return sentence.format(op=op, verb=rng.choice(("add", "subtract", "multiply")), **numbers)


def _as_typed(text: str, rng: random.Random) -> str:
    """As people type in a chat: often small letters, and without the last mark."""
    if rng.random() < 0.4:
        text = text.lower()
    return text.rstrip(".!?") if rng.random() < 0.3 else text
