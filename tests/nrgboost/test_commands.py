"""The commands, as a person calls them: what they write, what they print, and one sentence for everything wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from paperworks.lab import cli
from paperworks.nrgboost import NRGBoostDensity
from paperworks.nrgboost.cli import app

FAST = ("--trees", "6", "--leaves", "8", "--pool", "400", "--threads", "1")


class Called(NamedTuple):
    code: int
    out: str
    err: str


Call = Callable[..., Called]


def homes(n: int = 240) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    area = np.round(rng.gamma(8, 10, n), 1)
    frame = pd.DataFrame(
        {
            "region": rng.choice(["North", "South", "East=West"], n),
            "rooms": pd.Series(rng.integers(1, 6, n)).astype("Int64"),
            "area": area,
            "garden": area > 90,
            "sold": np.datetime_as_string(np.datetime64("2023-01-01") + rng.integers(0, 400, n)),
            "price": (area * 2000).astype(int),
        }
    )
    frame.loc[::11, "area"] = np.nan
    frame.loc[::13, "rooms"] = pd.NA
    frame.loc[::17, "region"] = None
    return frame


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    def run(*arguments: object) -> Called:
        code = cli.run(app, [str(each) for each in arguments], name="paperworks nrgboost", tracebacks=tmp_path / "tb")
        printed = capsys.readouterr()
        return Called(code, printed.out, printed.err)

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and a model of it, made by the command."""
    folder = tmp_path_factory.mktemp("homes")
    homes().to_csv(folder / "homes.csv", index=False)
    arguments = ["fit", str(folder / "homes.csv"), "--target", "price", "--out", str(folder / "homes.npz"), *FAST]
    assert cli.run(app, arguments, name="nrgboost", tracebacks=folder) == 0
    return folder


def test_fit_says_what_came_of_it(call: Call, folder: Path, tmp_path: Path) -> None:
    done = call("fit", folder / "homes.csv", "--target", "price", "--out", tmp_path / "m.npz", *FAST, "--json")
    assert done.code == 0
    facts = json.loads(done.out)
    assert facts["training_rows"] == 216
    assert facts["held_out_rows"] == 24
    assert facts["columns"] == 6
    assert 0 < facts["trees"] <= 6
    assert 0 <= facts["discriminator_auc"] <= 1
    assert 0 <= facts["largest_marginal_distance"] <= 1
    model = NRGBoostDensity.load(tmp_path / "m.npz")
    assert model.scoring == "price"
    kinds = {column.name: getattr(column, "kind", "category") for column in model.model_.encoder.columns}
    assert kinds == {
        "region": "category",
        "rooms": "integer",
        "area": "real",
        "garden": "boolean",
        "sold": "datetime",
        "price": "integer",
    }
    assert facts["trees"] == model.n_rounds_


def test_fit_prints_a_table_for_people(call: Call, folder: Path, tmp_path: Path) -> None:
    done = call("fit", folder / "homes.csv", "--out", tmp_path / "m.npz", *FAST, "--hold-out", "0")
    assert done.code == 0
    assert "training rows" in done.out
    assert "240" in done.out
    assert "held out score" in done.out


def test_samples_meet_their_conditions_and_have_the_tables_types(call: Call, folder: Path, tmp_path: Path) -> None:
    asked = ("--given", "region=East=West", "--given", "area=60..90.5", "--given", "garden=yes", "--given", "rooms=2|3")
    out = tmp_path / "rows.parquet"
    done = call("sample", folder / "homes.npz", "-n", 50, *asked, "--given", "sold=2023-03-01..", "--out", out)
    assert done.code == 0
    assert done.out == f"50 rows: {out}\n"
    rows = pq.read_table(out).to_pandas()
    assert (rows["region"] == "East=West").all()
    assert rows["area"].between(60, 90.5).all()
    assert rows["garden"].all()
    assert set(rows["rooms"]) <= {2, 3}
    assert (rows["sold"] >= pd.Timestamp("2023-03-01")).all()
    again = call("sample", folder / "homes.npz", "-n", 3, "--seed", 5)
    assert again.out == call("sample", folder / "homes.npz", "-n", 3, "--seed", 5).out
    assert again.out.splitlines()[0] == "region,rooms,area,garden,sold,price"


@pytest.mark.parametrize("method", ["gibbs", "mean", "mode"])
def test_impute_fills_in_a_file(call: Call, folder: Path, tmp_path: Path, method: str) -> None:
    out = tmp_path / "filled.csv"
    done = call("impute", folder / "homes.npz", folder / "homes.csv", "--method", method, "--out", out)
    assert done.code == 0
    before, after = pd.read_csv(folder / "homes.csv"), pd.read_csv(out)
    assert done.out.startswith(f"{before.isna().sum().sum()} cells filled in")
    assert after.notna().all().all()
    pd.testing.assert_frame_equal(after.where(before.notna()), before, check_dtype=False)


def test_score_names_the_row_that_is_wrong_and_the_cell(call: Call, folder: Path, tmp_path: Path) -> None:
    odd = homes(60)
    odd.loc[41, ["garden", "area", "price"]] = [True, 30.5, 560_000]
    odd.loc[7, "region"] = "Atlantis"
    odd.to_csv(tmp_path / "odd.csv", index=False)
    arguments = ("score", folder / "homes.npz", tmp_path / "odd.csv", "--reference", 200)
    rows = json.loads(call(*arguments, "--json", "--top", 60, "--cells", 6).out)
    assert len(rows) == 60
    assert [row["plausibility"] for row in rows] == sorted(row["plausibility"] for row in rows)
    assert 42 in [row["row"] for row in rows[:15]]
    unseen = next(row for row in rows if row["row"] == 8)
    assert unseen["cells"][0] == {"column": "region", "value": "Atlantis", "plausibility": None}
    done = call(*arguments, "--top", 2, "--out", tmp_path / "scored.parquet")
    assert "odd.csv: 60 rows" in done.out
    scored = pq.read_table(tmp_path / "scored.parquet").to_pandas()
    assert scored["plausibility"].between(0, 1).all()
    assert "Atlantis (never seen in training)" in scored["implausible_cells"][7]


def test_parquet_keeps_its_types_through_everything(call: Call, tmp_path: Path) -> None:
    frame = homes().assign(sold=lambda f: pd.to_datetime(f["sold"]), region=lambda f: f["region"].astype("category"))
    table = tmp_path / "homes.parquet"
    frame.to_parquet(table, index=False)
    assert call("fit", table, "--out", tmp_path / "m.npz", *FAST).code == 0
    for arguments in (
        ("sample", tmp_path / "m.npz", "-n", 20, "--out", tmp_path / "out.parquet"),
        ("impute", tmp_path / "m.npz", table, "--out", tmp_path / "out.parquet"),
    ):
        assert call(*arguments).code == 0
        found, given = pq.read_schema(tmp_path / "out.parquet"), pq.read_schema(table)
        assert {f.name: f.type for f in found} == {f.name: f.type for f in given}


def test_ctrl_c_keeps_the_trees_so_far_and_says_so(
    call: Call, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Any, model: Any, last: Any) -> bool:
        if model.n_rounds == 2:
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr("paperworks.nrgboost.fitting.Watch.__call__", interrupt)
    done = call("fit", folder / "homes.csv", "--out", tmp_path / "m.npz", *FAST, "--hold-out", "0", "--json")
    assert done.code == 0
    assert "warning: interrupted after 2 of 6 rounds; the trees so far are kept" in done.err
    assert json.loads(done.out)["trees"] == 2
    assert NRGBoostDensity.load(tmp_path / "m.npz").ended_ == "interrupted"


def test_a_card_is_one_page_without_a_request_or_a_row(call: Call, folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "card.html"
    done = call("card", folder / "homes.npz", "--out", page, "--rows", 300)
    assert done.out == f"the model's card: {page}\n"
    html = page.read_text()
    for phrase in ("homes.csv", "rows trained on", "216", "discriminator AUC", "R-hat", "Which columns matter"):
        assert phrase in html
    assert html.count("<svg") == 6 + 2
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "https://" not in html
    assert "<script" not in html


def test_a_card_measures_against_another_table_and_escapes_names(call: Call, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    homes()[["area", "price"]].rename(columns={"area": "<b>area</b>"}).to_csv(table, index=False)
    assert call("fit", table, "--out", tmp_path / "m.npz", *FAST, "--hold-out", "0").code == 0
    assert call("card", tmp_path / "m.npz", "--table", table, "--rows", 100).code == 0
    html = (tmp_path / "m.html").read_text()
    assert "<b>area" not in html
    assert "rows that training did not see" in html


TEXT = "a,b\n1,x\n2,y\n3,x\n"
FIT_ERRORS: dict[str, tuple[str | bytes | None, tuple[str, ...], str]] = {
    "absent": (None, (), "there is no file"),
    "empty": ("", (), "is empty"),
    "no rows": ("a,b\n", (), "has no rows"),
    "ragged": ("a,b\n1,2\n1,2,3\n", (), "cannot be read as CSV"),
    "not text": (b"\xff\xfe\x00\x01,\n", (), "cannot be read as CSV"),
    "another encoding": ("a,b\nGrüße,2\n".encode("latin-1"), (), "it is not in UTF-8"),
    "a name twice": ("a,b,a\n1,2,3\n4,5,6\n", (), "two columns of the name 'a'"),
    "a key": (
        "key,b\n" + "".join(f"k{n},{n % 7}\n" for n in range(100)),
        (),
        "none of the 10 rows held out is known in all of its cells: column 'key'",
    ),
    "empty column": ("a,b\n1,\n2,\n", ("--hold-out", "0"), "column 'b' has no value at all"),
    "infinite": ("a,b\n1,inf\n2,3\n", ("--hold-out", "0"), "column 'b' contains infinity"),
    "many categories": (
        "a,b\n" + "".join(f"{n},word{n}\n" for n in range(300)),
        ("--hold-out", "0"),
        "column 'b' has 300 categories",
    ),
    "target": (TEXT, ("--target", "colour"), "there is no column 'colour'; the columns are 'a', 'b'"),
    "category": (TEXT, ("--category", "colour"), "there is no column 'colour'"),
    "hold-out": (TEXT, ("--hold-out", "1.5"), "--hold-out is 1.5"),
    "learning rate": (TEXT, ("--learning-rate", "0", "--hold-out", "0"), "learning_rate"),
    "too few": ("a,b\n1,x\n", (), "too few to hold some out; give --hold-out 0"),
    "trees": (TEXT, ("--trees", "0"), "trees"),
}


@pytest.mark.parametrize("case", FIT_ERRORS)
def test_a_bad_table_or_setting_gets_one_sentence(call: Call, tmp_path: Path, case: str) -> None:
    content, options, message = FIT_ERRORS[case]
    table = tmp_path / "table.csv"
    if content is not None:
        table.write_bytes(content if isinstance(content, bytes) else content.encode())
    fast = [each for each in FAST if case != "trees" or each not in ("--trees", "6")]
    assert_refused(call("fit", table, "--out", tmp_path / "m.npz", *fast, *options), message)
    assert not (tmp_path / "m.npz").exists()


def test_other_wrong_files_get_one_sentence(call: Call, folder: Path, tmp_path: Path) -> None:
    model, table = folder / "homes.npz", folder / "homes.csv"
    partial, damaged = tmp_path / "partial.csv", tmp_path / "damaged.npz"
    homes()[["area", "price"]].to_csv(partial, index=False)
    damaged.write_bytes(model.read_bytes()[:2000])
    fake = tmp_path / "fake.parquet"
    fake.write_text(TEXT)
    for arguments, message in (
        (("fit", table, "--out", tmp_path / "m.pkl"), "end it in .npz"),
        (("fit", tmp_path, "--out", tmp_path / "m.npz"), "is a folder"),
        (("fit", tmp_path / "table.xlsx", "--out", tmp_path / "m.npz"), "there is no file"),
        (("fit", fake, "--out", tmp_path / "m.npz"), "cannot be read as Parquet"),
        (("sample", tmp_path / "absent.npz"), "there is no model file"),
        (("sample", damaged), "is damaged or no model file"),
        (("sample", model, "--out", tmp_path / "rows.txt"), "end it in .csv, .tsv or .parquet"),
        (("sample", model, "--out", tmp_path / "damaged.npz" / "rows.csv"), "cannot be written"),
        (("sample", model, "--temperature", "0"), "temperature is 0.0"),
        (("impute", model, partial, "--out", tmp_path / "o.csv"), "lacks column(s) that the model was fitted to"),
        (("impute", model, table, "--out", tmp_path / "o.csv", "--method", "median"), "method is 'median'"),
        (("score", model, partial), "lacks column(s)"),
        (("card", damaged), "is damaged or no model file"),
    ):
        assert_refused(call(*arguments), message)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("region", "'region' is no condition; write column=value"),
        ("colour=red", "there is no column 'colour'"),
        ("region=Atlantis", "'Atlantis', which training never saw"),
        ("rooms=many", "rooms=many: that column holds integer values; give a number"),
        ("garden=perhaps", "give true or false"),
        ("sold=soon", "give a date"),
        ("area=900..950", "nothing lies between 900.0 and 950.0"),
    ],
)
def test_a_condition_that_cannot_be_met_gets_one_sentence(
    call: Call, folder: Path, condition: str, message: str
) -> None:
    assert_refused(call("sample", folder / "homes.npz", "-n", 3, "--given", condition), message)


def test_a_condition_given_twice_gets_one_sentence(call: Call, folder: Path) -> None:
    done = call("sample", folder / "homes.npz", "--given", "rooms=1", "--given", "rooms=2")
    assert_refused(done, "'rooms' is given twice")


def test_every_command_explains_itself(call: Call) -> None:
    assert "fit" in call().err + call("--help").out
    for command in ("fit", "sample", "impute", "score", "card"):
        done = call(command, "--help")
        assert done.code == 0
        assert "--out" in done.out


def assert_refused(done: Called, message: str) -> None:
    """Exit code 2 and one line on standard error that says so."""
    assert done.code == 2, done.err
    assert done.out == ""
    lines = [line for line in done.err.splitlines() if not line.startswith("warning:")]
    assert len(lines) == 1, done.err
    assert lines[0].startswith("error: ")
    assert message in lines[0]
