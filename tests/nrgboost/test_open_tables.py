"""The paper's tables from OpenML, by files laid out as scikit-learn keeps what it has fetched."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest

from paperworks.core import UserError
from paperworks.nrgboost import datasets, open_tables
from paperworks.nrgboost.datasets import TARGET

ADULT = """@relation adult
@attribute age numeric
@attribute work {Private, State}
@attribute class {no, yes}
@data
39,State,no
50,Private,yes
28,?,no
61,Private,yes
"""


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a table among those that have been fetched."""
    monkeypatch.setenv("PAPERWORKS_CACHE", str(tmp_path))

    def put(number: int, name: str, arff: str, columns: list[dict[str, str]]) -> None:
        folder = tmp_path / "openml" / "openml" / "openml.org"
        url = f"data/v1/download/{number}/{name}.arff"
        description = {
            "id": str(number),
            "name": name,
            "version": "1",
            "format": "ARFF",
            "status": "active",
            "url": f"https://www.openml.org/{url}",
            "md5_checksum": hashlib.md5(arff.encode()).hexdigest(),
            "description": "",
        }
        rest = {"is_ignore": "false", "is_row_identifier": "false", "number_of_missing_values": "0"}
        features = [{**rest, **each, "index": str(place)} for place, each in enumerate(columns)]
        count = {"name": "NumberOfInstances", "value": str(arff.partition("@data\n")[2].count("\n"))}
        files = {
            f"api/v1/json/data/{number}": json.dumps({"data_set_description": description}),
            f"api/v1/json/data/features/{number}": json.dumps({"data_features": {"feature": features}}),
            f"api/v1/json/data/qualities/{number}": json.dumps({"data_qualities": {"quality": [count]}}),
            url: arff,
        }
        for path, text in files.items():
            (folder / f"{path}.gz").parent.mkdir(parents=True, exist_ok=True)
            (folder / f"{path}.gz").write_bytes(gzip.compress(text.encode()))

    return put


def column(name: str, kind: str = "numeric", *, is_target: bool = False) -> dict[str, str]:
    return {"name": name, "data_type": kind, "is_target": str(is_target).lower()}


def test_categories_become_codes_and_a_missing_one_minus_one(keep):
    keep(1590, "adult", ADULT, [column("age"), column("work", "nominal"), column("class", "nominal", is_target=True)])
    frame = datasets.load("adult", 0).frame
    assert frame["age"].tolist() == [39, 50, 28, 61]
    assert frame["work"].tolist() == [1, 0, -1, 0]
    assert isinstance(frame[TARGET].dtype, pd.CategoricalDtype)
    assert frame[TARGET].tolist() == ["no", "yes", "no", "yes"]
    assert frame.drop(columns=TARGET).to_numpy().dtype == np.int64


def test_a_target_of_numbers_stays_one(keep):
    arff = "@relation abalone\n@attribute length numeric\n@attribute rings numeric\n@data\n0.5,15\n0.3,7\n"
    keep(44956, "abalone", arff, [column("length"), column("rings", is_target=True)])
    table = datasets.load("abalone", 0)
    assert not table.is_classification
    assert table.frame[TARGET].tolist() == [15.0, 7.0]


def test_pictures_are_halved_by_means(keep):
    names = [f"pixel{place}" for place in range(784)]
    picture = np.zeros((28, 28), dtype=int)
    picture[2:4, 4:6] = [[255, 255], [0, 3]]
    head = "".join(f"@attribute {name} numeric\n" for name in names)
    rows = "".join(",".join(map(str, picture.flatten())) + f",{label}\n" for label in (3, 8))
    arff = f"@relation mnist_784\n{head}@attribute class {{3, 8}}\n@data\n{rows}"
    keep(554, "mnist_784", arff, [*map(column, names), column("class", "nominal", is_target=True)])
    frame = datasets.load("mnist", 0).frame
    small = frame.drop(columns=TARGET).to_numpy()[0].reshape(14, 14)
    assert small[1, 2] == 128
    assert small.sum() == 128


def test_another_table_under_the_number_is_refused(keep):
    keep(1590, "iris", ADULT, [column("age"), column("work", "nominal"), column("class", "nominal", is_target=True)])
    with pytest.raises(UserError, match="data set 1590 is 'iris', not 'adult'"):
        datasets.load("adult", 0)


def test_without_a_network_it_is_one_sentence(monkeypatch, tmp_path):
    def unreachable(*_: Any, **__: Any) -> None:
        raise URLError("no route")

    monkeypatch.setenv("PAPERWORKS_CACHE", str(tmp_path))
    monkeypatch.setattr("sklearn.datasets.fetch_openml", unreachable)
    with pytest.raises(
        UserError, match=r"'adult' could not be fetched from OpenML \(data set 1590\).*needs a network once"
    ):
        datasets.load("adult", 0)


def test_every_table_of_the_paper_has_a_number_of_its_own():
    numbers = [each.number for each in open_tables.OPEN.values()]
    assert len(set(numbers)) == len(numbers) == 7
