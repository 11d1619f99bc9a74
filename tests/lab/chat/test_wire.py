"""Whatever a server or a model sends, it is read or told to be unreadable; nothing else is raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperworks.lab.chat.schema import form_of, parse
from paperworks.lab.chat.stop_strings import StopStrings
from paperworks.lab.chat.wire import Part, read_chunk, read_completion, words_of

KEYS = st.sampled_from(
    ["choices", "message", "delta", "content", "refusal", "finish_reason", "usage", "prompt_tokens", "error", "model"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
BODIES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)


LIST = form_of({"type": "array"})


def outcome(read: Callable[..., Any], *given: Any) -> Any:
    """What is read, or what the ValueError says; any other error is one."""
    try:
        return read(*given)
    except ValueError as error:
        return str(error)


@given(BODIES)
def test_any_body_is_a_part_or_a_value_error(body):
    for read in (read_completion, read_chunk):
        got = outcome(read, body)
        if isinstance(got, Part):
            assert got.text is None or isinstance(got.text, str)
        else:
            assert 0 < len(got) <= 400


@given(st.text(alphabet=st.sampled_from('{}[]",:`\n 1ae</think>') | st.characters(), max_size=80))
def test_any_answer_has_the_form_or_a_value_error(text):
    got = outcome(parse, text, LIST)
    assert isinstance(got, list) or got == "it holds no JSON" or "is not of type 'array'" in got


@given(st.lists(st.text(alphabet="ab", max_size=4), max_size=8), st.lists(st.text("ab", min_size=1, max_size=4)))
def test_stopping_does_not_depend_on_how_the_text_is_cut(pieces, strings):
    stop = StopStrings(strings)
    got = "".join(stop.feed(piece) for piece in pieces) + stop.rest()
    whole = "".join(pieces)
    ends = [whole.index(string) for string in strings if string in whole]
    assert stop.found == bool(ends)
    if len(set(map(len, strings))) <= 1:  # of strings that differ in length, the one that is whole first ends it
        assert got == whole[: min(ends, default=len(whole))]
    assert whole.startswith(got)
    assert not any(string in got for string in strings)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "no such model"}}, "no such model"),
        ({"error": "no such model"}, "no such model"),
        ({"message": "no such model"}, "no such model"),
        ({"detail": [1]}, "{'detail': [1]}"),
        ("<html><head><title>t</title></head><body>Bad&nbsp;<b>Gateway</b></body>", "Bad Gateway"),
        ("", ""),
        (None, ""),
        ("x" * 999, "x" * 300 + "..."),
    ],
)
def test_what_an_error_says_is_brief_and_plain(body, words):
    assert words_of(body) == words
