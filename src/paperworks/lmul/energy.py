"""The paper's energy claim as a calculator: what the multiplications of a model cost, and what additions would (C3).

Arithmetic on dedicated hardware and nothing else: the report says so, and sets the energy of reading weights beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .op_counts import OpCount, count_operations

__all__ = ["TABLES", "EnergyReport", "energy", "saving"]

PICOJOULES_HOROWITZ = {
    "int8 add": 0.03,
    "int16 add": 0.05,  # not in the source: between int8 and int32
    "int32 add": 0.1,
    "int8 mul": 0.2,
    "int32 mul": 3.1,
    "fp16 add": 0.4,
    "fp32 add": 0.9,
    "fp16 mul": 1.1,
    "fp32 mul": 3.7,
}
TABLES: Mapping[str, Mapping[str, float]] = {"horowitz2014": PICOJOULES_HOROWITZ}

_FORMATS = {"fp32": ("fp32", "int32"), "fp16": ("fp16", "int16")}
_DRAM_NANOJOULES = (1.3, 2.6)  # one access of 8 bytes, Horowitz 2014
_DRAM_BYTES = 8
_WEIGHT_BYTES = 2

_CAVEAT = """\
What this is: arithmetic on hardware built for it, from energies per operation of a 45 nm process.
What it is not: the saving of a chip. Memory is not counted (one DRAM access takes 1.3 to 2.6 nJ, some 400 fp32
multiplications), nor are registers, wires and control; a real chip saves far less. On the CPUs and GPUs of today
L-Mul saves nothing: their multipliers are there, and simulating L-Mul takes more instructions than using them."""


def saving(number_format: str, kind: str, picojoules: Mapping[str, float] = PICOJOULES_HOROWITZ) -> float:
    """The share of energy that L-Mul saves on one product: 0 to 1.

    ``kind`` is ``"elementwise"``, a product alone, or ``"dot"``, a product and its addition to a sum.

    >>> round(saving("fp32", "elementwise"), 3), round(saving("fp32", "dot"), 3)
    (0.973, 0.783)
    """
    before, after = _costs(number_format, kind, picojoules)
    return 1 - after / before


@dataclass(frozen=True, kw_only=True)
class EnergyReport:
    """Counts and energies of one forward pass; ``str()`` of it is the report.

    ``counts``: multiplications by part of the model; ``not_counted``: parts whose shapes do not tell. ``weights``:
    how many numbers are read from memory at least once (0 for given counts). Energies are properties, in joules.
    """

    counts: tuple[OpCount, ...]
    seq_len: int
    weights: int
    table: str
    picojoules: Mapping[str, float]
    not_counted: tuple[str, ...] = ()

    @property
    def multiplications(self) -> int:
        """All products that become L-Mul."""
        return sum(count.multiplications for count in self.counts)

    @property
    def accumulations(self) -> int:
        """Additions that products go into; they stay floating-point additions."""
        return sum(count.accumulations for count in self.counts)

    def joules(self, number_format: str, lmul: bool) -> float:
        """Energy of all counted operations in ``"fp32"`` or ``"fp16"``, by L-Mul or by ordinary multiplication."""
        multiply, add = _operations(number_format, self.picojoules)[1 if lmul else 0], f"{number_format} add"
        return 1e-12 * (self.multiplications * multiply + self.accumulations * self.picojoules[add])

    def saving(self, number_format: str) -> float:
        """The share of the counted arithmetic's energy that L-Mul saves."""
        return 1 - self.joules(number_format, lmul=True) / self.joules(number_format, lmul=False)

    @property
    def dram_joules(self) -> tuple[float, float]:
        """Lowest and highest energy of reading every weight once, in 16 bits, from DRAM."""
        accesses = self.weights * _WEIGHT_BYTES / _DRAM_BYTES
        low, high = (accesses * nanojoules * 1e-9 for nanojoules in _DRAM_NANOJOULES)
        return low, high

    @property
    def derivations(self) -> tuple[str, ...]:
        """How each saving per product follows from the table."""
        return tuple(_derivation(name, kind, self.picojoules) for name in _FORMATS for kind in ("elementwise", "dot"))

    def records(self) -> list[dict[str, Any]]:
        """The counts as plain rows, with each part's share of all multiplications."""
        total = max(1, self.multiplications)
        return [
            {
                "part": count.part,
                "multiplications": count.multiplications,
                "accumulations": count.accumulations,
                "share": count.multiplications / total,
            }
            for count in self.counts
        ]

    def __str__(self) -> str:
        return "\n\n".join([self._counts_text(), self._energy_text(), self._derivations_text(), _CAVEAT])

    def _counts_text(self) -> str:
        width = max(len("all"), *(len(count.part) for count in self.counts))
        lines = [f"One forward pass over {self.seq_len:,} tokens" if self.seq_len else "Given operations"]
        lines += [f"  {r['part']:<{width}}  {r['multiplications']:>22,}  {r['share']:>6.1%}" for r in self.records()]
        lines.append(f"  {'all':<{width}}  {self.multiplications:>22,}  multiplications")
        lines.append(f"  {'':<{width}}  {self.accumulations:>22,}  additions of products to sums")
        lines += [f"  not counted: {what}" for what in self.not_counted]
        return "\n".join(lines)

    def _energy_text(self) -> str:
        lines = [f"Arithmetic ({self.table})   ordinary        L-Mul         saved"]
        for name in _FORMATS:
            before, after = self.joules(name, lmul=False), self.joules(name, lmul=True)
            lines.append(f"  {name:<22}   {_si(before):>10}   {_si(after):>10}   {self.saving(name):>7.1%}")
        if self.weights:
            low, high = self.dram_joules
            before, saved = self.joules("fp16", lmul=False), self.saving("fp16")
            both = [saved * before / (before + dram) for dram in (high, low)]
            lines.append(
                f"  Reading {self.weights:,} weights just once from DRAM (16 bits) takes {_si(low)} to {_si(high)}:\n"
                f"  with it, the fp16 saving is {both[0]:.1%} to {both[1]:.1%}."
            )
        return "\n".join(lines)

    def _derivations_text(self) -> str:
        return "\n".join(["Per product, in pJ", *(f"  {line}" for line in self.derivations)])


def energy(
    model_or_op_counts: Any, seq_len: int | None = None, table: str | Mapping[str, float] = "horowitz2014"
) -> EnergyReport:
    """What the multiplications of one forward pass cost, ordinarily and by L-Mul.

    Args:
        model_or_op_counts: a torch or transformers model (weights are not looked at: the meta device will do); a
            transformers config, from which a causal language model is built without weights; or a mapping from names of
            parts to multiply-accumulates (an int), or to pairs (multiplications, accumulations).
        seq_len: tokens of one sequence that the pass processes at once (a prompt; 1 is one generated token without
            its cache). Linear layers count them all, lm_head too; attention counts every query with every key,
            seq_len² scores a head, masked or not. Not used with a mapping.
        table: ``"horowitz2014"``, or picojoules by operation, with its keys.

    Returns:
        An :class:`EnergyReport`; print it.

    Raises:
        ValueError: an unknown table, a seq_len below 1 or missing, nothing to count, negative counts.
        TypeError: neither a model, a config nor a mapping.
    """
    name, picojoules = _table(table)
    if isinstance(model_or_op_counts, Mapping):
        counts = tuple(_given(part, number) for part, number in model_or_op_counts.items())
        weights, tokens = 0, 0
        not_counted: tuple[str, ...] = ()
    else:
        if seq_len is None or seq_len < 1:
            raise ValueError(f"seq_len must be at least 1 token, not {seq_len}")
        counts, weights, not_counted = count_operations(model_or_op_counts, seq_len)
        tokens = seq_len
    if not sum(count.multiplications for count in counts):
        raise ValueError("there is no multiplication to count: no linear layer or attention was found")
    return EnergyReport(
        counts=counts, seq_len=tokens, weights=weights, table=name, picojoules=picojoules, not_counted=not_counted
    )


def _table(table: str | Mapping[str, float]) -> tuple[str, Mapping[str, float]]:
    if isinstance(table, str):
        if table not in TABLES:
            raise ValueError(f"table must be one of {', '.join(map(repr, TABLES))} or a mapping, not {table!r}")
        return table, TABLES[table]
    needed = {f"{number} {op}" for number in _FORMATS for op in ("add", "mul")} | {"int16 add", "int32 add"}
    if missing := sorted(needed - set(table)):
        raise ValueError(f"the table of energies lacks {', '.join(missing)} (in pJ)")
    return "own table", dict(table)


def _given(part: str, number: int | tuple[int, int]) -> OpCount:
    multiplications, accumulations = number if isinstance(number, tuple) else (number, number)
    if multiplications < 0 or accumulations < 0:
        raise ValueError(f"counts of {part!r} must not be negative")
    return OpCount(part=part, multiplications=multiplications, accumulations=accumulations)


def _operations(number_format: str, picojoules: Mapping[str, float]) -> tuple[float, float]:
    """The ordinary multiplication's energy, and the integer addition's that stands in for it."""
    if number_format not in _FORMATS:
        raise ValueError(f"number_format must be one of {', '.join(map(repr, _FORMATS))}, not {number_format!r}")
    multiply, add = _FORMATS[number_format]
    return picojoules[f"{multiply} mul"], picojoules[f"{add} add"]


def _costs(number_format: str, kind: str, picojoules: Mapping[str, float]) -> tuple[float, float]:
    if kind not in ("elementwise", "dot"):
        raise ValueError(f"kind must be 'elementwise' or 'dot', not {kind!r}")
    before, after = _operations(number_format, picojoules)
    accumulate = picojoules[f"{number_format} add"] if kind == "dot" else 0.0
    return before + accumulate, after + accumulate


def _derivation(number_format: str, kind: str, picojoules: Mapping[str, float]) -> str:
    multiply, add = _operations(number_format, picojoules)
    share = saving(number_format, kind, picojoules)
    note = " (int16 add: interpolated)" if number_format == "fp16" else ""
    if kind == "elementwise":
        return f"{number_format} elementwise   1 - {add:g}/{multiply:g} = {share:.1%}{note}"
    accumulate = picojoules[f"{number_format} add"]
    sums = f"({add:g} + {accumulate:g})/({multiply:g} + {accumulate:g})"
    return f"{number_format} dot product   1 - {sums} = {share:.1%}{note}"


def _si(joules: float) -> str:
    for unit, size in (("J", 1.0), ("mJ", 1e-3), ("µJ", 1e-6), ("nJ", 1e-9)):
        if joules >= size:
            return f"{joules / size:.3g} {unit}"
    return f"{joules * 1e12:.3g} pJ"
