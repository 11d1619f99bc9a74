"""Fitted models in one file: an ``.npz`` of plain arrays and a JSON header. Nothing in it is run on loading.

The header says which estimator it was, its parameters, the columns and how they are binned, and what training was
like; its ``format`` counts upwards, and a file of a newer one is refused.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.validation import check_is_fitted

from paperworks import __version__
from paperworks.lab.disk import write_atomically

from .binning import Bins
from .boosting import Round
from .classifier import NRGBoostClassifier
from .columns import CategoryColumn, Column, NumberColumn
from .density import NRGBoostDensity
from .density_forest import ForestModel
from .encoding import TableEncoder
from .forest import DensityForest
from .model import EnergyModel
from .regressor import NRGBoostRegressor
from .table_model import TableModel
from .tables import TableForm

FORMAT = 1
_KINDS = {kind.__name__: kind for kind in (NRGBoostDensity, NRGBoostClassifier, NRGBoostRegressor, DensityForest)}
_ENCODER, _MODEL = "column", "model"

E = TypeVar("E")


def save_estimator(estimator: Any, path: Path) -> Path:
    """Write a fitted estimator to ``path``, in one step; the path. Raises NotFittedError, and OSError of the disk."""
    check_is_fitted(estimator)
    is_forest = isinstance(estimator, DensityForest)
    encoder = estimator.encoder_ if is_forest else estimator.model_.encoder
    energies = estimator.forest_ if is_forest else estimator.model_.energies
    header = {
        "format": FORMAT,
        "paperworks": __version__,
        "kind": type(estimator).__name__,
        "parameters": {name: _plain(value) for name, value in estimator.get_params(deep=False).items()},
        "table": estimator.form_.as_fields(),
        "columns": [_column_header(column) for column in encoder.columns],
        "features": {"n": estimator.n_features_in_, "named": hasattr(estimator, "feature_names_in_")},
    }
    if not is_forest:
        header |= {
            "seed": estimator.model_.seed,
            "ended": estimator.ended_,
            "validation_scores": estimator.validation_scores_,
            "rounds": [asdict(each) for each in estimator.rounds_],
            "notes": dict(getattr(estimator, "notes_", {})),
        }
    arrays = {f"{_MODEL}/{name}": array for name, array in energies.to_arrays().items()}
    for place, column in enumerate(encoder.columns):
        arrays |= {f"{_ENCODER}{place}/{name}": array for name, array in _column_arrays(column).items()}
    if isinstance(estimator, NRGBoostClassifier):
        arrays["classes"] = estimator.classes_
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(header, ensure_ascii=False).encode(), dtype=np.uint8)
    np.savez_compressed(buffer, header=text, **arrays)
    write_atomically(path, buffer.getvalue())
    path.chmod(0o644)
    return path


def load_model(path: str | Path) -> Any:
    """The estimator that `save` wrote, whichever it was.

    Raises FileNotFoundError, and ValueError for a file that is no model, of a newer version, or damaged.
    """
    path = Path(path)
    header, arrays = _read(path)
    try:
        return _estimator(header, arrays)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error!r}; save the model again") from error


def load_estimator(path: Path, kind: type[E]) -> E:
    """`load_model`, for a file that has to hold a ``kind``; ValueError where it holds another."""
    estimator = load_model(path)
    if not isinstance(estimator, kind):
        name = type(estimator).__name__
        raise ValueError(f"{path} holds a {name}, not a {kind.__name__}; use {name}.load or load_model")
    return estimator


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no model file {path}")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is damaged or no model file; paperworks nrgboost fit, or save(), writes one")
    try:
        with np.load(path, allow_pickle=False) as file:
            if "header" not in file.files:
                raise ValueError(f"{path} is no model file; paperworks nrgboost fit, or save(), writes one")
            header = json.loads(file["header"].tobytes())
            _require_known(header, path)
            return header, {name: file[name] for name in file.files if name != "header"}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged ({error}); save the model again") from error


def _require_known(header: Any, path: Path) -> None:
    number = header.get("format") if isinstance(header, dict) else None
    if not isinstance(number, int) or header.get("kind") not in _KINDS:
        raise ValueError(f"{path} is no model file of paperworks nrgboost")
    if number > FORMAT:
        raise ValueError(
            f"{path} was written by a newer paperworks ({header.get('paperworks')}, format {number}); this one reads "
            f"up to format {FORMAT}: upgrade paperworks"
        )


def _estimator(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> Any:
    kind = _KINDS[header["kind"]]
    estimator = kind(**header["parameters"])
    estimator.form_ = TableForm(**header["table"])
    encoder = TableEncoder(
        tuple(_column(each, _part(arrays, f"{_ENCODER}{place}")) for place, each in enumerate(header["columns"]))
    )
    estimator.n_features_in_ = header["features"]["n"]
    if header["features"]["named"]:
        estimator.feature_names_in_ = np.array(encoder.names[: estimator.n_features_in_], dtype=object)
    if isinstance(estimator, DensityForest):
        estimator.encoder_, estimator.forest_ = encoder, ForestModel.from_arrays(_part(arrays, _MODEL))
        _require_same_cards(encoder, estimator.forest_.domain.cards)
        return estimator
    threads = effective_n_jobs(estimator.n_jobs)
    estimator.model_ = TableModel(encoder, EnergyModel.from_arrays(_part(arrays, _MODEL)), header["seed"], threads)
    _require_same_cards(encoder, estimator.model_.energies.domain.cards)
    estimator.ended_, estimator.validation_scores_ = header["ended"], header["validation_scores"]
    estimator.rounds_ = [Round(**each) for each in header["rounds"]]
    estimator.notes_ = header["notes"]
    if isinstance(estimator, NRGBoostClassifier):
        estimator.classes_ = arrays["classes"]
    return estimator


def _require_same_cards(encoder: TableEncoder, cards: tuple[int, ...]) -> None:
    if encoder.domain.cards != tuple(cards):
        raise ValueError("its columns and its trees do not belong together")


def _part(arrays: Mapping[str, np.ndarray[Any, Any]], name: str) -> dict[str, np.ndarray[Any, Any]]:
    return {key.partition("/")[2]: array for key, array in arrays.items() if key.partition("/")[0] == name}


def _column_header(column: Column) -> dict[str, Any]:
    kept = {
        each.name: getattr(column, each.name) for each in fields(column) if each.name not in {"bins", "counts", "rare"}
    }
    if isinstance(column, NumberColumn):
        return {"holds": "numbers", "grid": column.bins.grid, **kept}
    return {"holds": "categories", "rare": [[category, share] for category, share in column.rare.items()], **kept}


def _column_arrays(column: Column) -> dict[str, np.ndarray[Any, Any]]:
    if isinstance(column, CategoryColumn):
        return {"counts": column.counts}
    return {"counts": column.counts, "inner": column.bins.inner, "low": column.bins.low, "high": column.bins.high}


def _column(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> Column:
    kept = {name: value for name, value in header.items() if name not in {"holds", "grid", "rare", "categories"}}
    if header["holds"] == "numbers":
        bins = Bins(arrays["inner"], arrays["low"], arrays["high"], grid=header["grid"])
        return NumberColumn(**kept, bins=bins, counts=arrays["counts"])
    return CategoryColumn(
        **kept,
        categories=tuple(header["categories"]),
        rare=dict(header["rare"]),
        counts=arrays["counts"],
    )


def _plain(value: Any) -> Any:
    """A parameter as JSON has it; what has no such form (a generator in use) as None."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool) else None
