"""Calling functions and judging them by value."""

from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperworks.lab.sandbox import Call, Case, Limits, call, check
from paperworks.lab.sandbox.functions import _gave
from paperworks.lab.sandbox.inside import values

ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers()
KEYS = st.booleans() | st.integers() | st.text() | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    ATOMS | st.sets(KEYS) | st.frozensets(KEYS),
    lambda parts: st.lists(parts) | st.lists(parts).map(tuple) | st.dictionaries(KEYS | st.just("$"), parts),
    max_leaves=12,
)


def test_each_call_has_its_outcome():
    code = "def f(x, *, by=1): return [x / by]"
    outcomes, result = call(
        code, "f", [Call(args=(1,)), Call(args=(1,), kwargs={"by": 0}), Call(args=(3,), kwargs={"by": 2})]
    )
    assert [outcome.value for outcome in outcomes] == [[1.0], None, [1.5]]
    assert outcomes[1].error.type == "ZeroDivisionError"
    assert result.status == "ok"


def test_a_limit_ends_the_run_and_what_came_before_is_kept():
    code = "def f(n):\n    while n == 2: pass\n    return n"
    outcomes, result = call(code, "f", [Call(args=(n,)) for n in range(4)], limits=Limits(wall_s=0.3))
    assert [outcome.reached for outcome in outcomes] == [True, True, False, False]
    assert result.status == "timeout"


def test_arguments_are_made_anew_for_each_call():
    outcomes, _ = call("def f(x): x.append(1); return x", "f", [Call(args=([],))] * 3)
    assert [outcome.value for outcome in outcomes] == [[1], [1], [1]]


def test_an_expression_can_be_called():
    assert call("class A:\n    def twice(self, x): return 2 * x", "A().twice", [Call(args=(4,))])[0][0].value == 8


@pytest.mark.parametrize(
    ("returned", "expected", "met"),
    [
        ("[1, (2, 3)]", [1, (2, 3)], True),
        ("[1, [2, 3]]", [1, (2, 3)], False),
        ("{'b': 1, 'a': 2}", {"a": 2, "b": 1}, True),
        ("{2: 'x', 1: 'y'}", {1: "y", 2: "x"}, True),
        ("{3, 1, 2}", {1, 2, 3}, True),
        ("frozenset({1})", {1}, False),
        ("1.0", 1, True),
        ("True", 1, True),
        ("'1'", 1, False),
        ("b'1'", "1", False),
        ("float('nan')", math.nan, True),
        ("float('inf')", -math.inf, False),
        ("0.1 + 0.2", 0.3, False),
        pytest.param("10 ** 5000", 10**5000, True, id="a big number"),
        ("None", False, False),
        ("{'$': 'tuple', 'of': [1]}", (1,), False),
        ("[]", None, False),
    ],
)
def test_values_are_equal_as_python_has_it(returned, expected, met):
    assert check(f"def f(): return {returned}", "f", [Case(expected=expected)]).met == (met,)


def test_a_tolerance_is_for_floats_at_every_depth():
    case = Case(expected={"x": [0.3, {0.5}]})
    code = "def f(): return {'x': [0.1 + 0.2, {0.5}]}"
    assert not check(code, "f", [case]).passed
    assert check(code, "f", [case], relative_tolerance=1e-9).passed


def test_an_exception_can_be_what_is_expected():
    code = "def f(x): return 1 // x"
    cases = [Case(args=(0,), raises="ZeroDivisionError"), Case(args=(1,), raises="ZeroDivisionError"), Case(args=(0,))]
    assert check(code, "f", cases).met == (True, False, False)


def test_a_check_without_cases_is_refused():
    with pytest.raises(ValueError, match="no case"):
        check("def f(): pass", "f", [])


@pytest.mark.parametrize("value", [object(), [range(3)], {"x": lambda: None}, type("I", (int,), {})(1)])
def test_what_is_no_plain_value_is_refused(value):
    with pytest.raises(TypeError, match="plain values"):
        check("def f(x): pass", "f", [Case(args=(value,))])
    with pytest.raises(TypeError, match="plain values"):
        check("def f(x): pass", "f", [Case(args=(1,), expected=value)])


@given(VALUES)
@settings(max_examples=150)
def test_plain_values_come_back_as_they_were(value):
    assert repr(values.decode(values.encode(value))) == repr(value) or values.decode(values.encode(value)) == value


@given(VALUES, VALUES)
@settings(max_examples=150)
def test_encoded_values_compare_as_the_values_do(one, other):
    assert _gave({"value": values.encode(one)}, values.encode(one), 0.0)
    if repr(one) != repr(other) and "nan" not in repr((one, other)):
        assert _gave({"value": values.encode(one)}, values.encode(other), 0.0) <= (one == other)


KINDS = st.sampled_from(["int", "float", "complex", "set", "frozenset", "dict", "tuple", "bytes", "other"])
SENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda parts: (
        st.lists(parts)
        | st.dictionaries(st.text(), parts)
        | st.builds(lambda kind, of: {"$": kind, "of": of}, KINDS, parts)
    ),
)


@given(SENT)
@settings(max_examples=300)
def test_whatever_is_sent_is_a_plain_value_or_a_value_error(tree):
    with contextlib.suppress(ValueError):
        assert json.dumps(values.encode(values.decode(tree)))
