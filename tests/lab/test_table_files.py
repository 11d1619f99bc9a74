"""CSV files of several customs, read with their types."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from paperworks.core import UserError
from paperworks.lab.table_files import read_table, write_table

ROWS = [("a", "code", "when"), ("1", "007", "2024-01-02"), ("", "008", "2024-02-03T10:00:00"), ("3", "007", "")]


@pytest.mark.parametrize(("name", "separator"), [("t.csv", ","), ("t.csv", ";"), ("t.tsv", "\t"), ("t.csv.gz", ",")])
def test_csv_is_read_by_its_custom(tmp_path: Path, name: str, separator: str) -> None:
    text = "\n".join(separator.join(row) for row in ROWS).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    frame = read_table(path, texts=["code"])
    assert str(frame["a"].dtype) == "Int64"
    assert frame["code"].tolist() == ["007", "008", "007"]
    assert frame["when"][1] == pd.Timestamp("2024-02-03 10:00")
    again = read_table(write_table(frame, tmp_path / f"again.{name.partition('.')[2]}"), texts=["code"])
    pd.testing.assert_frame_equal(again, frame)


def test_texts_that_are_not_all_dates_stay_texts(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("when\n2024-01-02\nsoon\n")
    assert read_table(tmp_path / "t.csv")["when"].tolist() == ["2024-01-02", "soon"]


def test_a_file_of_semicolons_may_have_decimal_commas(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("price;code;mixed\n-1,5;007;1,5\n;008;1.5\n12;007;2,5\n")
    frame = read_table(tmp_path / "t.csv", texts=["code"])
    assert frame["price"].tolist() == [-1.5, pd.NA, 12.0]
    assert frame["code"].tolist() == ["007", "008", "007"]
    assert frame["mixed"].tolist() == ["1,5", "1.5", "2,5"]


def test_other_names_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_text("x")
    with pytest.raises(UserError, match=r"end it in \.csv, \.tsv or \.parquet"):
        read_table(tmp_path / "t.xlsx")
