"""Tables of any make as pandas frames, and back: numpy arrays, pandas, polars and pyarrow."""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

_NULLABLE = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableForm:
    """What a table was made of, so that the tables which come out of a model are of the same make.

    ``dtype`` is that of a numpy array, ``schema`` the Arrow schema of a polars or pyarrow table in base64.
    """

    container: Literal["numpy", "pandas", "polars", "pyarrow"]
    dtype: str = ""
    schema: str = ""

    def as_fields(self) -> dict[str, str]:
        """The form as plain texts, for a file's header."""
        return asdict(self)

    def build(self, frame: pd.DataFrame) -> Any:
        """``frame`` as a table of this form; columns that the form does not know keep their types."""
        if self.container == "pandas":
            return frame
        if self.container == "numpy":
            return frame.to_numpy(dtype=np.dtype(self.dtype))
        table = _cast(pa.Table.from_pandas(frame, preserve_index=False), self._arrow_schema())
        if self.container == "pyarrow":
            return table
        import polars as pl

        return pl.from_arrow(table)

    def _arrow_schema(self) -> pa.Schema:
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.schema)))


def read(table: Any) -> tuple[pd.DataFrame, TableForm]:
    """``table`` as a pandas frame whose columns have texts for names, and its form.

    The columns of an array are called "x0", "x1", and so on. Raises ValueError for a table without a row or a column,
    for two columns of one name, and as `sklearn.utils.check_array` does for what is no table at all.
    """
    form, frame = _as_pandas(table)
    if 0 in frame.shape:
        what = "sample" if frame.shape[1] else "feature"
        raise ValueError(f"Found a table with 0 {what}(s) (shape={frame.shape}) while a minimum of 1 is required.")
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"two columns have the name {twice!r}; every column needs its own")
    return frame, form


def read_checked(estimator: Any, table: Any, names: Sequence[str] | None = None) -> tuple[pd.DataFrame, TableForm]:
    """`read` for an estimator: the columns are checked against those of training, and then called ``names``.

    Without ``names`` this is the training table, whose columns are remembered, as `validate_data` does both.
    """
    frame, form = read(table)
    checked = table if form.container != "numpy" else frame.to_numpy()
    validate_data(estimator, checked, reset=names is None, skip_check_array=True)
    return frame if names is None else frame.set_axis(list(names), axis=1), form


def _as_pandas(table: Any) -> tuple[TableForm, pd.DataFrame]:
    container = _container(table)
    if container == "pandas":
        return TableForm(container="pandas"), table
    if container == "numpy":
        array = check_array(table, dtype=None, ensure_all_finite=False)
        columns = [f"x{column}" for column in range(array.shape[1])]
        return TableForm(container="numpy", dtype=array.dtype.str), pd.DataFrame(array, columns=columns)
    arrow = table if container == "pyarrow" else table.to_arrow()
    schema = base64.b64encode(arrow.schema.remove_metadata().serialize().to_pybytes()).decode()
    frame = arrow.to_pandas(types_mapper=_NULLABLE.get, date_as_object=True)
    return TableForm(container=container, schema=schema), frame


def _container(table: Any) -> Literal["numpy", "pandas", "polars", "pyarrow"]:
    if isinstance(table, pd.DataFrame):
        return "pandas"
    if isinstance(table, pa.Table):
        return "pyarrow"
    polars = sys.modules.get("polars")  # who gives a polars frame has imported it
    if polars is not None and isinstance(table, polars.LazyFrame):
        raise TypeError("a polars LazyFrame has no rows yet; call collect() on it first")
    return "polars" if polars is not None and isinstance(table, polars.DataFrame) else "numpy"


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """``table`` with its columns in the types that ``schema`` has for them."""
    known = {field.name: field for field in schema}
    for index, name in enumerate(table.column_names):
        if name in known:
            table = table.set_column(index, known[name], table.column(index).cast(known[name].type))
    return table
