"""``paperworks mlp-kan fit``: errors beside gradient boosting, the formula, a page, and a sentence for a bad table."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from paperworks.app.main import main
from paperworks.lab import plots
from paperworks.mlp_kan import table_fit, table_page, tables


def _wave(n=240):
    rng = np.random.default_rng(0)
    time, dose = rng.uniform(0, 5, n), rng.uniform(0, 3, n)
    group = rng.choice(["a", "b"], n)
    effect = 3 * np.sin(time) + dose**2 + 2 * (group == "b")
    return pd.DataFrame({"time": time, "dose": dose, "group": group, "same": 7, "effect": effect})


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAPERWORKS_HOME", str(tmp_path / "home"))
    return tmp_path


def _json(capsys):
    return json.loads(capsys.readouterr().out)


def test_a_law_is_found_and_a_page_is_saved(here, capsys):
    frame = _wave()
    frame.loc[3, "dose"] = None
    frame.to_csv(here / "wave.csv", index=False)
    assert main(["mlp-kan", "fit", "wave.csv", "--target", "effect", "--json"]) == 0
    found = _json(capsys)
    errors = {model["model"]: model["rmse"] for model in found["models"]}
    assert errors["spline network"] < 0.2 * errors["gradient boosting"]
    assert errors["formula"] < 0.1 * errors["always the mean"]
    assert found["rmse_over_boosting"] == pytest.approx(errors["spline network"] / errors["gradient boosting"])
    assert found["rmse_over_boosting_to"] < 1
    assert (found["rows"], found["rows_left_out"], found["test_rows"]) == (239, 1, 60)
    assert "sin(" in found["formula"]
    assert "dose**2" in found["formula"]
    html = (here / "wave.html").read_text()
    assert found["formula"].replace("=", "&#61;") in html or found["formula"] in html
    assert "1 row with a missing value was left out" in html
    assert "<math" in html
    assert html.count("<svg") == 2
    assert html.count(f"stroke: {plots.PALETTE[0]};") >= 3  # every curve
    assert f'[style*="stroke: {plots.PALETTE[0]}"]' in html  # lightened in the dark
    assert "src=" not in html


def test_parquet_gives_the_same_numbers_and_the_table_is_for_people(here, capsys):
    _wave().to_parquet(here / "wave.parquet")
    given = ["mlp-kan", "fit", "wave.parquet", "--target", "effect", "--without", "group", "--out", "page.html"]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert "gradient boosting" in said
    assert "effect = " in said
    assert "page: page.html" in said
    assert (here / "page.html").exists()


def test_names_of_columns_are_text_wherever_they_stand(here):
    frame = _wave(60).rename(columns={"time": "<i>t</i> & $1 or $2", "effect": "<b>$ to $</b>"})
    frame.to_csv(here / "wave.csv", index=False)
    found = table_fit.fit_table(tables.read(here / "wave.csv", target="<b>$ to $</b>"))
    html = table_page.write_page(found, here / "page.html").read_text()
    assert "<i>" not in html
    assert "<b>" not in html
    assert html.count("$1 or $2") >= 2


def test_columns_become_numbers(here):
    frame = _wave()
    frame["flag"] = frame["time"] > 2
    frame.to_parquet(here / "wave.parquet")
    table = tables.read(here / "wave.parquet", target="effect")
    assert table.columns == ("time", "dose", "group=b", "flag")
    assert (table.x[:, 2] == (frame["group"] == "b")).all()
    assert (table.x[:, 3] == frame["flag"]).all()


def test_the_fit_follows_its_seed_and_reports_its_stages(here):
    _wave(60).to_csv(here / "wave.csv", index=False)
    table, heard = tables.read(here / "wave.csv", target="effect"), []
    one, again = (table_fit.fit_table(table, seed=1, progress=lambda *said: heard.append(said)) for _ in range(2))
    assert str(one.formula) == str(again.formula)
    assert one.predictions["spline network"] == pytest.approx(again.predictions["spline network"])
    assert {stage for stage, _, _ in heard} == {
        "fitting 0 hidden nodes",
        "fitting 2 hidden nodes",
        "fitting 5 hidden nodes",
        "reading the formula",
    }


def _write(here, name, text):
    (here / name).write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("absent.csv", None, "there is no file absent.csv"),
        ("table.xlsx", "", "end it in .csv, .tsv or .parquet"),
        ("empty.csv", "", "is empty"),
        ("broken.parquet", "no parquet", "cannot be read as Parquet"),
        ("other.csv", "effects,x\n1,2\n", "has no column 'effect': did you mean 'effects'?"),
        ("strange.csv", "u,x\n1,2\n", "has no column 'effect': the first are u, x"),
        ("texts.csv", "effect,x\n" + "high,1\n" * 40, "is not numbers"),
        ("names.csv", "effect,name\n" + "".join(f"{n},n{n}\n" for n in range(40)), "leave it out by --without name"),
        ("alone.csv", "effect\n" + "".join(f"{n}\n" for n in range(40)), "no column that varies besides 'effect'"),
        ("short.csv", "effect,x\n1,2\n2,3\n", "has 2 rows without a missing value: at least 30"),
        ("flat.csv", "effect,x\n" + "".join(f"1,{n}\n" for n in range(40)), "has one value only"),
    ],
)
def test_a_bad_table_gets_one_sentence(here, capsys, name, text, says):
    if text is not None:
        _write(here, name, text)
    assert main(["mlp-kan", "fit", name, "--target", "effect"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err
    assert said.err.count("\n") == 1


def test_a_page_that_cannot_be_one_is_refused_before_the_work(here, capsys):
    assert main(["mlp-kan", "fit", "absent.csv", "--target", "y", "--out", "page.pdf"]) == 2
    assert "must end in .html" in capsys.readouterr().err
