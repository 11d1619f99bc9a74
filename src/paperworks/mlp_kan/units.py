"""Between a table's own units and those of a network: inputs on [-1, 1], targets of mean 0 and deviation 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Units"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """The ranges [features] of the inputs, and the mean and the standard deviation of the targets."""

    low: Floats
    high: Floats
    mean: float
    std: float

    @classmethod
    def of(cls, x: Floats, y: Floats) -> Units:
        """Those of rows x [n, features] and targets y [n]. Raises ValueError where a column has one value only."""
        low, high, std = x.min(axis=0), x.max(axis=0), float(y.std())
        if std == 0 or (low == high).any():
            raise ValueError("a column has the same value in every row: leave it out")
        return cls(low=low, high=high, mean=float(y.mean()), std=std)

    def inputs(self, x: Floats) -> Tensor:
        """What the network is given for rows x."""
        return torch.tensor((2 * x - self.low - self.high) / (self.high - self.low), dtype=torch.float32)

    def rows(self, inputs: Tensor) -> Floats:
        """The rows that :meth:`inputs` made these of."""
        rows: Floats = (inputs.cpu().double().numpy() * (self.high - self.low) + self.low + self.high) / 2
        return rows

    def targets(self, y: Floats) -> Tensor:
        """What the network is to answer for targets y."""
        return torch.tensor((y - self.mean) / self.std, dtype=torch.float32)

    def answers(self, outputs: Tensor) -> Floats:
        """What the network's outputs say, in the units of y."""
        answers: Floats = outputs.detach().cpu().double().numpy() * self.std + self.mean
        return answers

    def input_expressions(self, variables: Sequence[sympy.Symbol]) -> list[sympy.Expr]:
        """`inputs`, of variables."""
        return [
            (2 * variable - float(low + high)) / float(high - low)
            for variable, low, high in zip(variables, self.low, self.high, strict=True)
        ]

    def answer_expression(self, output: sympy.Expr) -> sympy.Expr:
        """`answers`, of an expression."""
        return sympy.Float(self.std) * output + sympy.Float(self.mean)
