"""Test vectors for hardware: operands and L-Mul products as hexadecimal words, for Verilog's ``$readmemh``.

One vector a line, three words in it from the left: x, y and their product, each as wide as the format (the 16-bit
``3fc0`` is 1.5 in bfloat16). Lines that begin with ``//`` say how to read the file; ``$readmemh`` passes over them. The
memory for it is ``reg [3*W-1:0] vectors [0:N-1]``, x in the upper third of a word.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from .config import LMulConfig
from .formats import FORMATS, Format
from .multiply import mul
from .operands import bits_of, to_float

__all__ = ["NAMES", "lines", "vectors"]

NAMES = {
    "e4m3": "float8_e4m3fn",
    "e5m2": "float8_e5m2",
    "bf16": "bfloat16",
    "fp16": "float16",
    "fp32": "float32",
}
"""Formats by the names that people who build hardware use."""


def lines(name: str, count: int, config: LMulConfig, seed: int = 0) -> Iterator[str]:
    """The lines of a file of vectors: comments that say what it holds, then one line a vector.

    ``name`` is a key of `NAMES`; ``count`` and ``seed`` as in :func:`vectors`. Of ``config`` the arithmetic counts:
    mantissa_bits (None for all of the format's), variant, rounding, offset.

    Raises ValueError for an unknown format and what :func:`lmul.mul` raises.
    """
    if name not in NAMES:
        raise ValueError(f"the formats are {', '.join(NAMES)}; not {name!r}")
    fmt = FORMATS[NAMES[name]]
    x, y, product = vectors(fmt, count, config, seed)
    kept = fmt.mantissa_bits if config.mantissa_bits is None else config.mantissa_bits
    yield f"// L-Mul, {name}: sign, {fmt.exponent_bits} bits of exponent, {fmt.mantissa_bits} of mantissa"
    yield (
        f"// variant {config.variant}, {kept} mantissa bits of each operand ({config.rounding}), offset {config.offset}"
    )
    yield f"// {len(x)} vectors of {3 * fmt.bits} bits: x, y, product; {fmt.bits} bits each, x in the upper third"
    digits = fmt.bits // 4
    for words in zip(x.tolist(), y.tolist(), product.tolist(), strict=True):
        yield "".join(f"{word:0{digits}x}" for word in words)


def vectors(fmt: Format, count: int, config: LMulConfig, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and product as patterns [N], non-negative integers.

    A format of 8 bits has all its 65536 pairs, whatever ``count`` is. Of a wider one come first all pairs of edges
    (zeros, subnormals, the smallest and largest normals, infinity, NaN, powers of two and mantissas that carry), then
    ``count`` pairs of patterns drawn uniformly, half of them with exponents near the bias so that products are finite.
    """
    if fmt.bits == 8:
        grid = np.arange(256)
        x, y = np.repeat(grid, 256), np.tile(grid, 256)
    else:
        edges = _edges(fmt)
        drawn = _drawn(fmt, count, np.random.default_rng(seed))
        x = np.concatenate([np.repeat(edges, len(edges)), drawn[0]])
        y = np.concatenate([np.tile(edges, len(edges)), drawn[1]])
    how = (config.mantissa_bits, config.variant, config.rounding, config.offset)
    product = mul(_tensor(x, fmt), _tensor(y, fmt), *how, seed=seed)
    return x, y, _patterns(product, fmt)


def _edges(fmt: Format) -> np.ndarray:
    """Patterns at which a circuit goes wrong if it does, with both signs."""
    one = fmt.bias << fmt.mantissa_bits
    magnitudes = [
        0,
        1,
        fmt.smallest_normal - 1,
        fmt.smallest_normal,
        fmt.smallest_normal + 1,
        one - 1,
        one,
        one + 1,
        one + fmt.smallest_normal // 2,
        one + fmt.smallest_normal - 1,
        fmt.largest - fmt.smallest_normal,
        fmt.largest,
        fmt.infinity,
        fmt.nan,
    ]
    return np.unique([magnitude | sign for magnitude in magnitudes for sign in (0, fmt.sign_mask)])


def _drawn(fmt: Format, count: int, rng: np.random.Generator) -> np.ndarray:
    """Patterns [2, count]: anything at all for even places, exponents within a quarter of the range for odd ones."""
    anything = rng.integers(0, 1 << fmt.bits, (2, count))
    quarter = 1 << (fmt.exponent_bits - 2)
    exponents = rng.integers(fmt.bias - quarter // 2, fmt.bias + quarter // 2, (2, count))
    mantissas, signs = rng.integers(0, fmt.smallest_normal, (2, count)), rng.integers(0, 2, (2, count))
    near = signs * fmt.sign_mask + (exponents << fmt.mantissa_bits) + mantissas
    return np.where(np.arange(count) % 2 == 0, anything, near)


def _tensor(patterns: np.ndarray, fmt: Format) -> torch.Tensor:
    words = patterns.astype(np.uint64).astype(f"uint{fmt.bits}").view(f"int{fmt.bits}")
    return to_float(torch.from_numpy(words.astype(np.int64)).to(torch.int32), fmt)


def _patterns(x: torch.Tensor, fmt: Format) -> np.ndarray:
    return bits_of(x, fmt).numpy().astype(np.int64) & ((1 << fmt.bits) - 1)
