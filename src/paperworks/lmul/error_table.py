"""The error of one product: L-Mul and ordinary multiplication, by mantissa bits and rounding (section 2.6).

Only mantissas count here: the relative error of a product does not depend on the exponents while nothing over- or
underflows, and no exponent range is limited.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .offset import constant
from .operands import check_choice, tensor_of
from .significand import METHODS, ROUNDED, relative_error

__all__ = ["error_table"]

Array = NDArray[np.float64]
Pairs = tuple[Array, Array, Array]  # a, b (mantissas in [0, 1)) and their weights, which broadcast and sum to 1


def error_table(
    ks: Iterable[int] | int = (2, 3, 4, 5, 7, 23),
    dist: Any = "uniform",
    *,
    offset: str | float = "paper",
    grid: int = 1024,
    pairs: int = 1_000_000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Relative errors of single products: one record for each k, method and rounding.

    Args:
        ks: mantissa bits, 1 to 52 each.
        dist: of the operands' mantissas: ``"uniform"``, ``"benford"`` (log-uniform numbers), or real numbers: a tensor
            or array, whose elements are multiplied with each other, or a pair of them, left with right operands.
        offset: L-Mul's constant: ``"paper"`` (2^-l(k)), ``"optimal"`` (least RMS error for that k, variant and
            rounding), or a float in [0, 1).
        grid: points of the midpoint rule along each mantissa, for the two distributions.
        pairs: how many pairs of real numbers are drawn; ``seed`` draws them.

    Returns:
        Records with ``k``, ``method`` (``carry`` and ``formula`` of L-Mul, or ordinary ``multiply``), ``rounding`` of
        the operands, ``dist``, ``c``, and of the relative error ``bias`` (mean), ``rms``, ``mean_abs`` and ``max_abs``.
        ``multiply`` with ``nearest`` at k = 3 is float8 e4m3 multiplication, at k = 2 e5m2, both without range limits.

    Raises:
        ValueError: a k, distribution or offset outside its choices, or real numbers without a normal one among them.
    """
    wanted = [ks] if isinstance(ks, int) else list(ks)
    for k in wanted:
        if not 1 <= k <= 52:
            raise ValueError(f"mantissa bits must be 1 to 52, not {k}")
    a, b, weights = _pairs(dist, grid, pairs, seed)
    named = dist if isinstance(dist, str) else "given"
    records = []
    for k in wanted:
        for method in METHODS:
            for rounding in ROUNDED:
                c = None if method == "multiply" else constant(offset, k, method, rounding)
                error = relative_error(a, b, k, method, rounding, c)
                row = {"k": k, "method": method, "rounding": rounding, "dist": named, "c": c}
                records.append({**row, **_moments(error, weights)})
    return records


def _moments(error: Array, weights: Array) -> dict[str, float]:
    size = np.abs(error)
    return {
        "bias": float(np.sum(weights * error)),
        "rms": float(np.sqrt(np.sum(weights * error**2))),
        "mean_abs": float(np.sum(weights * size)),
        "max_abs": float(size.max()),
    }


def _pairs(dist: Any, grid: int, pairs: int, seed: int) -> Pairs:
    if not isinstance(dist, str):
        return _drawn(dist, pairs, seed)
    check_choice("dist", dist, ("uniform", "benford"))
    if grid < 2:
        raise ValueError(f"grid must be at least 2 points, not {grid}")
    # Midpoints uniform in the mantissa also serve Benford's law, with its density as weight: they never fall on the
    # edge of a k-bit cell, where the error jumps.
    a = (np.arange(grid) + 0.5) / grid
    density = np.ones(grid) if dist == "uniform" else 1 / (1 + a)
    density /= density.sum()
    return a[:, None], a[None, :], density[:, None] * density[None, :]


def _drawn(numbers: Any, pairs: int, seed: int) -> Pairs:
    left, right = numbers if isinstance(numbers, tuple) else (numbers, numbers)
    rng = np.random.default_rng(seed)
    a, b = _mantissas(left), _mantissas(right)
    return rng.choice(a, pairs), rng.choice(b, pairs), np.full(1, 1 / pairs)


def _mantissas(numbers: Any) -> Array:
    """Mantissas in [0, 1) of all finite numbers that are not zero."""
    values = tensor_of(numbers).detach().double().flatten().cpu().numpy()
    values = values[np.isfinite(values) & (values != 0)]
    if not values.size:
        raise ValueError("dist holds no finite number other than zero: there is no mantissa to draw from")
    fractions, _ = np.frexp(np.abs(values))
    mantissas: Array = 2 * fractions - 1
    return mantissas
