"""Tables of every make become rows of bins and come back as what they were."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from paperworks.nrgboost import tables
from paperworks.nrgboost.column_fit import BinningConfig
from paperworks.nrgboost.columns import CategoryColumn, NumberColumn
from paperworks.nrgboost.encoding import TableEncoder, fit_encoder

ROWS = 60


def every_kind() -> pd.DataFrame:
    """A column of every kind, each with values few enough that a bin holds one."""
    rng = np.random.default_rng(0)
    day = dt.date(2024, 2, 1)
    return pd.DataFrame(
        {
            "decimal": np.round(rng.normal(size=ROWS) * 3, 1),
            "single": rng.integers(0, 9, ROWS).astype(np.float32),
            "integer": rng.integers(-4, 9, ROWS),
            "small": rng.integers(0, 9, ROWS).astype(np.int8),
            "far": rng.integers(2**61, 2**61 + 9, ROWS),
            "unsigned": rng.integers(2**63, 2**63 + 9, ROWS, dtype=np.uint64),
            "nullable": pd.Series(rng.integers(0, 5, ROWS)).astype("Int64"),
            "flag": rng.random(ROWS) < 0.5,
            "text": rng.choice(["a", "b", "c"], ROWS),
            "object": pd.Series(rng.choice(["a", "b"], ROWS), dtype=object),
            "size": pd.Categorical(rng.choice(["s", "m"], ROWS), categories=["s", "m", "l"], ordered=True),
            "day": pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 200, ROWS), unit="D"),
            "hour": pd.Timestamp("2024-03-31", tz="Europe/Paris")
            + pd.to_timedelta(rng.integers(0, 50, ROWS), unit="h"),
            "moment": pd.Timestamp("2024-03-01 00:00:00.000001") + pd.to_timedelta(rng.integers(0, 9, ROWS), unit="us"),
            "took": pd.to_timedelta(rng.integers(0, 90, ROWS), unit="m"),
            "date": [day + dt.timedelta(int(ahead)) for ahead in rng.integers(0, 40, ROWS)],
            "constant": np.full(ROWS, np.pi),
        }
    )


def with_gaps(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with a missing cell in every column that can have one."""
    gaps = frame.copy()
    for row, name in enumerate(frame.columns):
        if frame[name].dtype.kind not in "iub":
            gaps[name] = frame[name].mask(np.arange(ROWS) == row)
    for name in ("object", "date"):
        gaps[name] = gaps[name].astype(object).where(gaps[name].notna(), None)
    return gaps


def encoder_of(frame: pd.DataFrame, **config: Any) -> TableEncoder:
    return fit_encoder(tables.read(frame)[0], BinningConfig(**config))


@pytest.mark.parametrize("make", [every_kind, lambda: with_gaps(every_kind())])
def test_every_kind_of_column_comes_back_as_it_was(make: Any) -> None:
    frame = make()
    encoder = encoder_of(frame)
    rows = encoder.encode(frame)
    assert rows.bins.dtype == np.uint8
    assert not rows.unknown.any()
    assert np.array_equal(rows.absent, frame.isna())
    pd.testing.assert_frame_equal(encoder.decode(rows.bins, np.random.default_rng(1)), frame)


def test_a_column_without_missing_values_has_no_bin_for_them() -> None:
    encoder = encoder_of(every_kind())
    assert encoder.domain.cards[encoder.index("flag")] == 2
    assert encoder.domain.cards[encoder.index("constant")] == 1
    assert not any(column.has_missing for column in encoder.columns)


def test_categories_have_no_order_unless_pandas_gives_them_one() -> None:
    encoder = encoder_of(every_kind())
    unordered = {column.name for column in encoder.columns if column.categorical}
    assert unordered == {"text", "object"}
    size = encoder.columns[encoder.index("size")]
    assert isinstance(size, CategoryColumn)
    assert size.values == ("s", "m", "l")


def test_dates_are_counted_in_the_longest_unit_that_fits() -> None:
    encoder = encoder_of(every_kind())
    units = {column.name: column.unit for column in encoder.columns if isinstance(column, NumberColumn) and column.unit}
    assert units == {"day": "D", "hour": "h", "moment": "us", "took": "m", "date": "D"}


def test_cells_that_training_never_saw_are_unknown() -> None:
    frame = every_kind()
    encoder = encoder_of(frame)
    odd = frame.iloc[:2].astype({"text": object})
    odd.loc[0, "text"] = "never seen"
    odd.loc[1, "decimal"] = np.nan
    rows = encoder.encode(odd)
    assert np.argwhere(rows.unknown).tolist() == [[0, encoder.index("text")], [1, encoder.index("decimal")]]
    assert np.argwhere(rows.absent).tolist() == [[1, encoder.index("decimal")]]


@pytest.mark.parametrize("container", ["polars", "pyarrow", "numpy", "numpy objects"])
def test_the_make_of_a_table_comes_back(container: str) -> None:
    frame = with_gaps(every_kind()).drop(columns=["object"])
    table: Any = {
        "polars": lambda: pl.from_pandas(frame.drop(columns="date")).with_columns(
            pl.Series("kind", ["x", "y"] * (ROWS // 2), dtype=pl.Enum(["x", "y", "z"])),
            pl.Series("label", [None, "y"] * (ROWS // 2), dtype=pl.Categorical),
            pl.Series("born", [dt.date(2020, 1, 1), None] * (ROWS // 2)),
        ),
        "pyarrow": lambda: pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(),
        "numpy": lambda: frame[["decimal", "single"]].to_numpy(dtype=np.float32),
        "numpy objects": lambda: frame[["text", "flag", "integer"]].to_numpy(),
    }[container]()
    read, form = tables.read(table)
    encoder = fit_encoder(read, BinningConfig())
    back = tables.TableForm(**form.as_fields()).build(
        encoder.decode(encoder.encode(read).bins, np.random.default_rng(0))
    )
    assert type(back) is type(table)
    if container == "polars":
        assert back.equals(table)
        assert back.schema == table.schema
    elif container == "pyarrow":
        assert back.equals(table)
    else:
        assert back.dtype == table.dtype
        assert pd.DataFrame(back).equals(pd.DataFrame(table))


def test_numbers_can_be_declared_categories() -> None:
    frame = pd.DataFrame({"code": [3, 1, 3, 7], "x": [0.5, 1.0, 1.5, 2.0]})
    for declared in (["code"], [0], [True, False]):
        encoder = fit_encoder(frame, BinningConfig(), categorical=declared)
        assert [column.categorical for column in encoder.columns] == [True, False]
        assert encoder.columns[0].values == (1, 3, 7)  # type: ignore[union-attr]
        back = encoder.decode(encoder.encode(frame).bins, np.random.default_rng(0))
        pd.testing.assert_series_equal(back["code"], frame["code"])


@pytest.mark.parametrize(
    ("declared", "message"),
    [(["colour"], "'colour'"), ([5], "5"), ([True], "1 entries"), ("all", "'from_dtype'")],
)
def test_a_wrong_declaration_of_categories_is_named(declared: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_encoder(pd.DataFrame({"a": [1, 2], "b": [1, 2]}), BinningConfig(), categorical=declared)


def many_categories() -> pd.Series:
    return pd.Series([f"common {n % 200}" for n in range(2000)] + [f"rare {n}" for n in range(300)], name="word")


def test_too_many_categories_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"column 'word' has 500 categories.*categorical_overflow='group'"):
        fit_encoder(many_categories().to_frame(), BinningConfig())


def test_rare_categories_are_grouped_and_drawn_by_their_share() -> None:
    words = many_categories()
    encoder = fit_encoder(words.to_frame(), BinningConfig(categorical_overflow="group"))
    column = encoder.columns[0]
    assert isinstance(column, CategoryColumn)
    assert column.cardinality == 256
    assert set(column.categories) >= {f"common {n}" for n in range(200)}
    rows = encoder.encode(words.to_frame())
    back = encoder.decode(rows.bins, np.random.default_rng(0))["word"]
    common = words.str.startswith("common")
    assert (back[common] == words[common]).all()
    assert set(back[~common]) <= set(words[~common])
    assert encoder.encode(pd.DataFrame({"word": ["never seen"]})).bins[0, 0] == 255


def test_a_sampled_value_stays_within_the_range_asked_for() -> None:
    frame = pd.DataFrame({"n": np.arange(3000), "x": np.linspace(0, 1, 3000) ** 2 + 1e-7})
    encoder = encoder_of(frame, max_bins=5)
    rows = np.repeat(encoder.encode(frame).bins[1500:1501], 500, axis=0)
    drawn = encoder.decode(rows, np.random.default_rng(0), {0: (1450.5, 1550.2), 1: (0.3, 0.301)})
    assert drawn["n"].between(1451, 1550).all()
    assert drawn["x"].between(0.3, 0.301).all()


BAD = {
    "nothing but NaN": (pd.DataFrame({"a": [np.nan, np.nan]}), ValueError, "column 'a' has no value at all"),
    "infinity": (pd.DataFrame({"a": [1.0, np.inf]}), ValueError, "column 'a' contains infinity"),
    "complex": (pd.DataFrame({"a": [1j, 2j]}), ValueError, "Complex data not supported: column 'a'"),
    "lists": (pd.DataFrame({"a": [[1], [2]]}), TypeError, "column 'a'.*not a list"),
    "no row": (pd.DataFrame({"a": []}), ValueError, r"0 sample\(s\)"),
    "no column": (pd.DataFrame(index=[0, 1]), ValueError, r"0 feature\(s\)"),
    "a name twice": (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "two columns have the name 'a'"),
    "intervals": (pd.DataFrame({"a": pd.cut([1, 2, 3], 2)}), TypeError, "column 'a': a category must be"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_refused_in_a_sentence_that_names_the_column(case: str) -> None:
    frame, error, message = BAD[case]
    with pytest.raises(error, match=message):
        encoder_of(frame)


def test_missing_values_can_be_refused() -> None:
    with pytest.raises(ValueError, match=r"column 'a' has 1 missing value\(s\) \(NaN\), and missing='error'"):
        encoder_of(pd.DataFrame({"a": [1.0, np.nan]}), missing="error")


def test_a_value_of_another_kind_is_named() -> None:
    encoder = encoder_of(pd.DataFrame({"age": [1, 2, 3], "born": pd.date_range("2024", periods=3)}))
    with pytest.raises(ValueError, match="column 'age' holds numbers, and 'old'"):
        encoder.encode(pd.DataFrame({"age": ["old"], "born": ["2024-01-01"]}))
    with pytest.raises(ValueError, match="column 'born' holds datetimes"):
        encoder.encode(pd.DataFrame({"age": ["5"], "born": ["yesterday"]}))


def test_a_lazy_frame_is_to_be_collected_first() -> None:
    with pytest.raises(TypeError, match="collect"):
        tables.read(pl.LazyFrame({"a": [1]}))
