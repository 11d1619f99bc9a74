import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperworks.app.report.numbers import column, measured, plain, seconds, shown
from paperworks.core import Claim, Measurement, at_least, verdict


@pytest.mark.parametrize(
    ("numbers", "unit", "text"),
    [
        ((0.03591, 0.03571, 0.03612), "", "0.0359 [0.0357, 0.0361]"),
        ((97.297, 97.297, 97.297), "%", "97.3\xa0%"),
        ((-0.0012, -0.0012, -0.0012), "", "-0.0012"),
        ((0.003, -0.012, 0.018), "nats", "0.003 [-0.012, 0.018]\xa0nats"),
        ((1.0, 1.0, 1.0), "", "1"),
        ((0.0, 0.0, 0.0), "%", "0\xa0%"),
        ((325.0, 325.0, 325.0), "", "325"),
        ((5.0, -100.0, 200.0), "", "5 [-100, 200]"),
        ((123456.0, 123300.0, 123500.0), "", "123\u202f456 [123\u202f300, 123\u202f500]"),
        ((1.234e-7, 1.2e-7, 1.3e-7), "J", "1.23e-7 [1.20e-7, 1.30e-7]\xa0J"),
        ((-0.00001, -0.4, 0.4), "", "0.0 [-0.4, 0.4]"),
    ],
)
def test_a_measured_number_has_the_digits_of_its_interval(numbers, unit, text):
    assert str(measured(*numbers, unit=unit)) == text


def test_a_bound_is_never_rounded_onto_the_number_that_decides():
    assert str(measured(0.97, 0.94, 0.9996, landmarks=[1.0])) == "0.9700 [0.9400, 0.9996]"
    assert str(measured(0.97, 0.94, 1.0, landmarks=[1.0])) == "0.97 [0.94, 1.00]"
    assert str(measured(0.99996, 0.99996, 0.99996, landmarks=[1.0])) == "0.99996"


def test_an_interval_without_width_that_is_not_exact_by_name_still_shows_its_value():
    assert str(measured(2 / 3, 2 / 3, 2 / 3, landmarks=[0.0])) == "0.6667"


@given(
    value=st.floats(-2, 2, allow_subnormal=False),
    below=st.floats(1e-3, 1),
    above=st.floats(1e-3, 1),
)
def test_what_is_printed_is_judged_like_what_was_measured(value, below, above):
    claim = Claim(id="C1", says="s", metric="m", setting="s", source="s", judge=at_least(1, null=0))
    result = _measurement(value, value - below, value + above)
    text = str(shown(result, claim.judge)).replace("[", "").replace("]", "").replace(",", "").split()
    printed = _measurement(*map(float, text))
    near = any(0 < abs(end - mark) < 1e-5 for end in (result.low, result.high) for mark in (0, 1))
    assert near or verdict(claim, printed) is verdict(claim, result)


def _measurement(value, low, high):
    return Measurement(claim="C1", value=value, low=low, high=high, interval="seeds", n=3, scale="same", setting="s")


def test_plain_numbers_have_four_digits_and_no_zeros_at_the_end():
    assert plain(0.95463) == "0.9546"
    assert plain(0.5) == "0.5"
    assert plain(-0.0) == "0"
    assert plain(1e12, "pJ") == "1e12\xa0pJ"
    assert plain(52.92, "%", digits=8) == "52.92\xa0%"
    assert plain(float("inf")) == "∞"


def test_a_column_lines_up_at_the_decimal_point():
    assert column([0.0359, 0.5, None, 1.25]) == ["0.036", "0.500", "", "1.250"]
    assert column([1.0, 20.0]) == ["1", "20"]
    assert column([1.5, 2.5]) == ["1.5", "2.5"]
    assert column([]) == []
    assert column([1e-9, 3.0]) == ["1e-9", "3"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.2e-9, "3.2 ns"),
        (4.1e-6, "4.1 µs"),
        (0.0123, "12.3 ms"),
        (4.2, "4.2 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_are_in_the_unit_that_suits_them(value, text):
    assert seconds(value).replace("\xa0", " ") == text
