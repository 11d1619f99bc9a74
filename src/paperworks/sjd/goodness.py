"""Many samples of speculative decoding from a tabular model at once, and whether they fit the law of plain decoding."""

from __future__ import annotations

from itertools import product

import torch
from scipy.stats import power_divergence
from torch import Tensor

from .drafts import Initial, Recent, empty_window, fill
from .enumeration import plain, tabular
from .randomness import CounterSource
from .scheme import Coupling, Scheme, Verify
from .verification import step

__all__ = ["sample", "sampled_law"]

_TOKENS, _LENGTH, _WINDOW = 3, 6, 4


def sampled_law(*, coupling: Coupling, verify: Verify, draws: int) -> float:
    """The p value of a G-test of ``draws`` samples of 6 tokens out of 3 (729 cells) against the plain law."""
    scheme = Scheme(init="sample_h", coupling=coupling, verify=verify)
    tokens = sample(scheme, draws)
    place = _TOKENS ** torch.arange(_LENGTH - 1, -1, -1)
    counts = (tokens * place).sum(1).bincount(minlength=_TOKENS**_LENGTH)
    law = plain(tabular(_TOKENS, _LENGTH), _TOKENS, _LENGTH)
    expected = torch.tensor([law[cell] for cell in product(range(_TOKENS), repeat=_LENGTH)], dtype=torch.float64)
    order = expected.argsort(descending=True)
    merged, seen = _merged(expected[order] * draws), counts[order].double()
    groups = [(seen[cells].sum().item(), (expected[order][cells] * draws).sum().item()) for cells in merged]
    observed, wanted = zip(*groups, strict=True)
    scale = sum(observed) / sum(wanted)  # both sum to draws, but for rounding
    return float(power_divergence(observed, [cell * scale for cell in wanted], lambda_="log-likelihood").pvalue)


def sample(scheme: Scheme, draws: int) -> Tensor:
    """``draws`` sequences [draws, 6] of the tabular model, each a row with its own seed."""
    table = _table()
    rows = torch.arange(draws)
    ids = torch.zeros(draws, _LENGTH + _WINDOW, dtype=torch.long)
    accepted, law = torch.zeros(draws, dtype=torch.long), torch.full((draws, _TOKENS), 1 / _TOKENS, dtype=torch.float64)
    initial, turn = Initial(scheme.init, torch.arange(_TOKENS)), 0
    window, recent = empty_window(law), Recent.of(law, initial.span)
    while (accepted < _LENGTH).any():
        wanted = (_LENGTH - accepted - 1).clamp(0, _WINDOW - 1) * (accepted > 0)
        window = fill(window, wanted, accepted, recent, initial, CounterSource(rows, turn))
        laws = _laws(table, ids, accepted, window.tokens)
        taken, window = step(window, laws, accepted, scheme, CounterSource(rows, turn + 1))
        counts = torch.where(accepted < _LENGTH, taken.counts, 0)
        row, i = (torch.arange(taken.tokens.shape[1]) < counts[:, None]).nonzero(as_tuple=True)
        ids[row, accepted[row] + i] = taken.tokens[row, i]
        recent.note(accepted, taken.tokens, laws, counts)
        accepted, turn = accepted + counts, turn + 2
    return ids[:, :_LENGTH]


def _table() -> list[Tensor]:
    """For each length of prefix the laws of all prefixes, those in the order of their base-3 numbers."""
    model = tabular(_TOKENS, _LENGTH)
    laws = [[model(prefix) for prefix in product(range(_TOKENS), repeat=n)] for n in range(_LENGTH)]
    return [torch.tensor(rows, dtype=torch.float64) for rows in laws]


def _laws(table: list[Tensor], ids: Tensor, accepted: Tensor, drafts: Tensor) -> Tensor:
    """The model's laws [B, K + 1, V] after the accepted ids and 0 to K drafts; any law behind the sequence's end."""
    number = torch.zeros_like(accepted)
    for n in range(_LENGTH):
        number = torch.where(n < accepted, number * _TOKENS + ids[:, n], number)
    laws = []
    for i in range(drafts.shape[1] + 1):
        law = torch.full((len(ids), _TOKENS), 1 / _TOKENS, dtype=torch.float64)
        for n, rows in enumerate(table):
            here = accepted + i == n
            law[here] = rows[number[here]]
        laws.append(law)
        if i < drafts.shape[1]:
            number = number * _TOKENS + drafts[:, i]
    return torch.stack(laws, dim=1)


def _merged(expected: Tensor) -> list[list[int]]:
    """Cells in falling order of their expectation, the rare ones joined so that each group expects 5 or more."""
    groups: list[list[int]] = [[]]
    total = 0.0
    for cell, count in enumerate(expected.tolist()):
        groups[-1].append(cell)
        total += count
        if total >= 5:
            groups.append([])
            total = 0.0
    *full, rest = groups
    full[-1] += rest
    return full
