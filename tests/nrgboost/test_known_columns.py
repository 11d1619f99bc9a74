"""Tables are read with the columns that a model knows, as it knows them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from paperworks.nrgboost.column_fit import BinningConfig
from paperworks.nrgboost.encoding import fit_encoder
from paperworks.nrgboost.known_columns import read_like


def test_a_table_is_read_as_the_model_knows_its_columns(tmp_path: Path) -> None:
    encoder = fit_encoder(pd.DataFrame({"zip": ["01234", "99999"], "n": [1, 2]}), BinningConfig())
    (tmp_path / "t.csv").write_text("extra,n,zip\nx,1,01234\ny,2,99999\n")
    frame = read_like(tmp_path / "t.csv", encoder)
    assert list(frame.columns) == ["zip", "n"]
    assert frame["zip"].tolist() == ["01234", "99999"]
