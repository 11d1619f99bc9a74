"""JSON that says one thing only, or a ValueError."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperworks.app import strict_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**300), 10**300) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip


@given(VALUES, st.booleans())
def test_what_json_can_say_is_read(value, ascii_only):
    assert strict_json.loads(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=60) | st.text('{}[]":,0123456789.eE+-ntruefals\\u d8', max_size=40).map(str.encode))
def test_anything_else_is_a_value_error(data):
    try:
        value = strict_json.loads(data)
    except ValueError:
        return
    assert strict_json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode()) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[NaN]", "NaN is no finite number"),
        ("-Infinity", "-Infinity is no finite number"),
        ("[1e400]", "1e400 is no finite number"),
        (f"[1{'0' * 400}]", "00… is no finite number"),
        ('{"a": 1, "b": 2, "a": 1}', "has the key 'a' twice"),
        (r'["\ud83d"]', "half a surrogate pair"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("", "Expecting value"),
    ],
)
def test_what_says_more_or_less_than_one_thing_is_refused(text, says):
    with pytest.raises(ValueError, match=says):
        strict_json.loads(text.encode())


def test_a_letter_outside_the_basic_plane_may_be_escaped():
    assert strict_json.loads(rb'"\ud83d\ude00"') == "😀"
