"""What a result refuses, and its way through JSON: whole there and back, or a ValueError."""

from __future__ import annotations

import json
import math
import pickle
from collections import defaultdict
from dataclasses import fields
from types import MappingProxyType
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperworks.core import Interval, Measurement, Scale, Untested, from_record, to_record

FINITE = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15)
TEXT = st.text(min_size=1).filter(str.strip)
ROWS = st.lists(st.dictionaries(st.text(), st.none() | st.text() | FINITE, max_size=4), max_size=4).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = tuple(field.name for field in fields(Measurement))


def measurement(**given: Any) -> Measurement:
    settings: dict[str, Any] = {
        "claim": "C1",
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "interval": "seeds",
        "n": 5,
        "scale": "same",
        "setting": "digits",
    }
    return Measurement(**(settings | given))


@st.composite
def measurements(draw: st.DrawFn) -> Measurement:
    interval = draw(st.sampled_from(get_args(Interval)))
    low, value, high = sorted(draw(st.lists(FINITE, min_size=3, max_size=3)))
    if interval == "exact":
        low = high = value
    return measurement(
        claim=draw(TEXT),
        value=value,
        low=low,
        high=high,
        interval=interval,
        n=draw(st.integers(3, 10**9)),
        scale=draw(st.sampled_from(get_args(Scale))),
        setting=draw(TEXT),
        unit=draw(st.text()),
        baseline=draw(st.none() | FINITE),
        note=draw(st.text()),
        rows=draw(ROWS),
        figures=tuple(draw(st.lists(st.text(), max_size=3))),
    )


RESULTS = measurements() | st.builds(Untested, claim=TEXT, reason=TEXT)


@pytest.mark.parametrize(
    ("given", "lesson"),
    [
        ({"claim": ""}, "a measurement's claim is blank; give the id of the claim"),
        ({"claim": 1}, "a measurement's claim must be a string, not int"),
        ({"value": math.nan}, "measurement of C1: value is nan; .* is Untested, with the reason"),
        ({"low": -math.inf}, "measurement of C1: low is -inf; .* is Untested, with the reason"),
        ({"high": math.inf}, "high is inf"),
        ({"high": 10**400}, "high is an integer that no float can hold"),
        ({"baseline": math.nan}, "baseline is nan"),
        ({"value": None}, "value must be a Python number, not NoneType"),
        ({"value": True}, "value must be a Python number, not bool"),
        ({"value": np.float32(0.5)}, "value must be a Python number, not float32"),
        ({"value": np.array(0.5)}, "value must be a Python number, not ndarray"),
        ({"baseline": "0.5"}, "baseline must be a Python number, not str"),
        ({"value": 0.7}, r"the interval \[0.4, 0.6\] must contain the value 0.7"),
        ({"value": 0.3}, "must contain the value 0.3"),
        ({"low": 0.6, "high": 0.4}, "must contain the value"),
        ({"interval": "seed"}, r"interval is one of exact, seeds, items, seeds\+items; not 'seed'"),
        ({"interval": None}, "interval is one of"),
        ({"scale": "full"}, "scale is one of same, smaller, stand-in; not 'full'"),
        ({"interval": "exact"}, "an exact value has low == value == high; name what the interval is over"),
        ({"n": 2}, "n=2 is too few for an interval of kind 'seeds'; give at least 3"),
        ({"interval": "seeds+items", "n": 2}, "n=2 is too few"),
        ({"interval": "items", "n": 0}, "n=0 is too few for an interval of kind 'items'; give at least 1"),
        ({"n": 5.0}, "n must be a Python int, not float"),
        ({"n": True}, "n must be a Python int, not bool"),
        ({"n": np.int64(5)}, "n must be a Python int, not int64"),
        ({"setting": " "}, "setting is blank; say on what it was measured"),
        ({"setting": None}, "setting must be a string"),
        ({"unit": None}, "unit must be a string, not NoneType"),
        ({"note": 3}, "note must be a string, not int"),
        ({"figures": "error"}, r"figures must be a tuple, written \(one,\) where there is one; not str"),
        ({"figures": ["error"]}, "figures must be a tuple, .* not list"),
        ({"figures": (None,)}, "figures must be a tuple of str; None is NoneType"),
        ({"rows": {"k": 1.0}}, r"rows must be a tuple, written \(one,\) where there is one; not dict"),
        ({"rows": [{"k": 1.0}]}, "rows must be a tuple, .* not list"),
        ({"rows": (("k", 1.0),)}, r"rows must be a tuple of Mapping; \('k', 1.0\) is tuple"),
        ({"rows": ({1: 2.0},)}, "the name of a row's column must be a string, not int"),
        ({"rows": ({"k": 1.0}, {"k": math.nan})}, "row cell 'k' is nan; None stands for a cell without a number"),
        ({"rows": ({"k": True},)}, "row cell 'k' must be a Python number, not bool"),
        ({"rows": ({"k": [1.0]},)}, "row cell 'k' must be a Python number, not list"),
    ],
)
def test_refuses(given: dict[str, Any], lesson: str) -> None:
    with pytest.raises(ValueError, match=lesson):
        measurement(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"low": 0.5, "high": 0.5, "interval": "exact", "n": 1},
        {"low": 0.5, "high": 0.5},  # seeds may agree to the last bit
        {"value": 0.4},
        {"value": 0.6},
        {"interval": "items", "n": 1},
        {"n": 3},
        {"value": np.float64(0.5)},  # a float by inheritance
        {"value": 0, "low": -1, "high": 1},
    ],
)
def test_takes_what_lies_at_the_limit(given: dict[str, Any]) -> None:
    assert measurement(**given).claim == "C1"


@pytest.mark.parametrize(
    ("given", "lesson"),
    [
        ({"claim": "C1", "reason": " "}, "claim C1 is untested; its reason is blank; say why in a sentence"),
        ({"claim": "C1", "reason": None}, "its reason must be a string, not NoneType"),
        ({"claim": "", "reason": "no GPU"}, "an untested result's claim is blank; give the id of the claim"),
        ({"claim": None, "reason": "no GPU"}, "an untested result's claim must be a string"),
    ],
)
def test_untested_needs_a_claim_and_a_reason(given: dict[str, Any], lesson: str) -> None:
    with pytest.raises(ValueError, match=lesson):
        Untested(**given)


class TestRecords:
    @given(RESULTS)
    def test_through_json_and_back_is_the_same(self, result: Measurement | Untested) -> None:
        text = json.dumps(to_record(result), allow_nan=False)
        assert from_record(json.loads(text)) == result

    @given(RESULTS)
    def test_without_json_too(self, result: Measurement | Untested) -> None:
        assert from_record(to_record(result)) == result == pickle.loads(pickle.dumps(result))

    def test_has_the_fields_of_a_measurement_and_no_others(self) -> None:
        assert tuple(to_record(measurement())) == FIELDS

    def test_of_untested_is_short(self) -> None:
        assert to_record(Untested(claim="C1", reason="no GPU")) == {"claim": "C1", "untested": "no GPU"}

    def test_keys_of_others_are_left_aside(self) -> None:
        """An evidence file keeps the claim's digest in the same object."""
        result = measurement()
        assert from_record(to_record(result) | {"claim_digest": "0" * 64}) == result

    def test_defaults_need_not_be_there(self) -> None:
        record = to_record(measurement())
        for name in ("unit", "baseline", "note", "rows", "figures"):
            del record[name]
        assert from_record(record) == measurement()

    @pytest.mark.parametrize(
        "row", [MappingProxyType({"k": 1.0}), defaultdict(float, {"k": 1.0})], ids=["proxy", "defaultdict"]
    )
    def test_a_row_may_be_any_mapping(self, row: Any) -> None:
        assert to_record(measurement(rows=(row,)))["rows"] == [{"k": 1.0}]

    def test_a_record_shares_nothing_with_its_result(self) -> None:
        result = measurement(rows=({"k": 1.0},))
        to_record(result)["rows"][0]["k"] = 2.0
        assert result.rows == ({"k": 1.0},)

    def test_numpy_floats_become_json_numbers(self) -> None:
        result = measurement(value=np.float64(0.5), rows=({"k": np.float64(0.1)},))
        assert json.loads(json.dumps(to_record(result)))["rows"] == [{"k": 0.1}]

    @pytest.mark.parametrize("name", ["claim", "value", "low", "high", "interval", "n", "scale", "setting"])
    def test_a_field_that_is_needed_is_named(self, name: str) -> None:
        record = to_record(measurement())
        del record[name]
        with pytest.raises(ValueError, match=f"the record of a result lacks '{name}'"):
            from_record(record)

    def test_untested_needs_its_claim(self) -> None:
        with pytest.raises(ValueError, match="the record of a result lacks 'claim'"):
            from_record({"untested": "no GPU"})

    @pytest.mark.parametrize("record", [None, 3, "claim", ["claim"], []])
    def test_what_is_no_object_is_refused(self, record: Any) -> None:
        with pytest.raises(ValueError, match="the record of a result is an object, not"):
            from_record(record)

    @pytest.mark.parametrize(
        "given",
        [
            {"figures": "error"},
            {"figures": {"error": 1}},
            {"rows": "k"},
            {"rows": ""},
            {"rows": {}},
            {"rows": None},
            {"rows": [[["k", 1.0]]]},
            {"claim": None},
            {"n": 3.0},
            {"value": 10**400},
        ],
    )
    def test_a_field_of_another_type_is_refused(self, given: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"must be|no float can hold"):
            from_record(to_record(measurement()) | given)

    @given(JSON)
    def test_arbitrary_json_is_a_value_error_or_a_result(self, record: Any) -> None:
        _check_read(record)

    @given(st.dictionaries(st.sampled_from((*FIELDS, "untested")), JSON))
    def test_arbitrary_fields_are_a_value_error_or_a_result(self, record: dict[str, Any]) -> None:
        _check_read(record)

    @given(measurements(), st.sampled_from(FIELDS), JSON)
    def test_one_field_gone_wrong_is_a_value_error_or_a_result(
        self, result: Measurement, name: str, wrong: Any
    ) -> None:
        _check_read(to_record(result) | {name: wrong})


def _check_read(record: Any) -> None:
    """Either a ValueError, or a result that goes through JSON whole: no other exception, and nothing between them."""
    try:
        result = from_record(record)
    except ValueError:
        return
    assert from_record(json.loads(json.dumps(to_record(result), allow_nan=False))) == result
