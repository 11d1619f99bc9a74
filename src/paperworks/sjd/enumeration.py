"""Every random path of a decoder on a small tabular model, with its exact weight: the law of what it puts out.

A source that follows a script makes each random outcome a choice of the harness. A pass is run once for every script,
paths that arrive at the same state are added up, and what is left at the end is the output law without any sampling.

The noise of a position is enumerated as what matters of it: an interval of the unit interval, which shrinks whenever a
law is drawn from by the inverse of its distribution function. For two tokens this is Gumbel's argmax itself; for more
it is another coupling with the one property that exactness rests on, that a position's noise draws every law rightly
and knows nothing of the positions before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise, product
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from . import reference
from .drafts import Initial, Recent, Window, fill
from .grid import GridSpec
from .reference import Law
from .scheme import Scheme
from .verification import step

__all__ = [
    "Model",
    "Outcome",
    "enumerate_core",
    "enumerate_reference",
    "outputs",
    "plain",
    "tabular",
    "total_variation",
]

Tokens: TypeAlias = "tuple[int, ...]"
Model: TypeAlias = Callable[[Tokens], Law]
Noise: TypeAlias = "tuple[tuple[int, tuple[float, float]], ...]"
Outcome: TypeAlias = "tuple[Tokens, int]"
"""The tokens, and the number of passes that they took."""


def tabular(vocabulary: int, length: int, seed: int = 0) -> Model:
    """A model of random laws, one for each prefix shorter than ``length``."""
    rng = np.random.default_rng(seed)
    table = {
        prefix: tuple(float(p) for p in rng.dirichlet([0.7] * vocabulary))
        for n in range(length)
        for prefix in product(range(vocabulary), repeat=n)
    }
    return table.__getitem__


def plain(model: Model, vocabulary: int, length: int) -> dict[Tokens, float]:
    """The law of plain decoding: the product of the model's laws."""
    weights: dict[Tokens, float] = {(): 1.0}
    for _ in range(length):
        weights = {
            (*prefix, token): weight * model(prefix)[token]
            for prefix, weight in weights.items()
            for token in range(vocabulary)
        }
    return weights


def outputs(paths: Mapping[Outcome, float]) -> dict[Tokens, float]:
    """The law of the tokens alone."""
    law: defaultdict[Tokens, float] = defaultdict(float)
    for (tokens, _), weight in paths.items():
        law[tokens] += weight
    return dict(law)


def total_variation(one: Mapping[Any, float], other: Mapping[Any, float]) -> float:
    """Half the sum of absolute differences of two laws."""
    return sum(abs(one.get(key, 0.0) - other.get(key, 0.0)) for key in {*one, *other}) / 2


@dataclass(slots=True)
class _Script:
    """Choices to make in turn; where they end the first possible one is made, and the others are noted in ``forks``."""

    choices: Sequence[int] = ()
    noise: dict[int, tuple[float, float]] = field(default_factory=dict)
    weight: float = 1.0
    made: list[int] = field(default_factory=list)
    forks: list[tuple[int, ...]] = field(default_factory=list)

    def choose(self, weights: Sequence[float]) -> int:
        """The next choice among those with a positive weight."""
        if len(self.made) < len(self.choices):
            choice = self.choices[len(self.made)]
        else:
            choice, *others = [option for option, weight in enumerate(weights) if weight > 0]
            self.forks += [(*self.made, other) for other in others]
        self.made.append(choice)
        self.weight *= weights[choice] / sum(weights)
        return choice

    def bernoulli(self, above: float, below: float) -> bool:
        passes = 1.0 if above >= below else above / below
        return self.choose((passes, 1.0 - passes)) == 0

    def categorical(self, law: Law) -> int:
        return self.choose(law)

    def shared(self, law: Law, position: int) -> int:
        low, high = self.noise.get(position, (0.0, 1.0))
        edges = [0.0, *accumulate(law)]
        edges[-1] = 1.0  # the sum of a law, but for rounding
        parts = [(max(low, left), min(high, right)) for left, right in pairwise(edges)]
        token = self.choose([max(right - left, 0.0) for left, right in parts])
        self.noise[position] = parts[token]
        return token

    def kept_noise(self, after: int) -> Noise:
        """The noise of positions that may still be asked for."""
        return tuple(sorted((position, span) for position, span in self.noise.items() if position >= after))


@dataclass(frozen=True, slots=True)
class _Node:
    """A state of decoding and what is known of the positions' noise."""

    state: reference.State
    noise: Noise = ()


def enumerate_reference(
    model: Model, rules: reference.Rules, vocabulary: int, window: int, length: int, limit: int | None = None
) -> dict[Outcome, float]:
    """The weight of every outcome of `reference.decode_pass`, repeated until ``length`` tokens are there."""

    def successors(nodes: Sequence[_Node]) -> Iterator[tuple[int, float, _Node]]:
        for index, node in enumerate(nodes):
            scripts: list[tuple[int, ...]] = [()]
            while scripts:
                script = _Script(scripts.pop(), dict(node.noise))
                state = reference.decode_pass(node.state, model, rules, window, length, script, limit)
                scripts += script.forks
                yield index, script.weight, _Node(state, script.kept_noise(len(state.accepted)))

    return _explored(successors, vocabulary, length)


def enumerate_core(
    model: Model, scheme: Scheme, vocabulary: int, window: int, length: int, grid: GridSpec | None = None
) -> dict[Outcome, float]:
    """The weight of every outcome of the tensor code, `fill` and `step`; a batch holds a script in each row."""
    initial = Initial(scheme.init, torch.arange(vocabulary), grid)

    def successors(nodes: Sequence[_Node]) -> Iterator[tuple[int, float, _Node]]:
        pending: list[tuple[int, tuple[int, ...]]] = [(index, ()) for index in range(len(nodes))]
        while pending:
            scripts = [_Script(script, dict(nodes[index].noise)) for index, script in pending]
            states = [nodes[index].state for index, _ in pending]
            states = _core_pass(states, model, scheme, initial, window, length, scripts)
            rows = list(zip(pending, scripts, states, strict=True))
            for (index, _), script, state in rows:
                yield index, script.weight, _Node(state, script.kept_noise(len(state.accepted)))
            pending = [(index, fork) for (index, _), script, _ in rows for fork in script.forks]

    return _explored(successors, vocabulary, length)


def _explored(
    successors: Callable[[Sequence[_Node]], Iterator[tuple[int, float, _Node]]], vocabulary: int, length: int
) -> dict[Outcome, float]:
    start = _Node(reference.State((), ()))
    alive: dict[_Node, float] = {start: 1.0}
    done: defaultdict[Outcome, float] = defaultdict(float)
    passes = 0
    while alive:
        passes += 1
        nodes, weights = list(alive), list(alive.values())
        following: defaultdict[_Node, float] = defaultdict(float)
        for index, weight, node in successors(nodes):
            if len(node.state.accepted) == length:
                done[node.state.accepted, passes] += weights[index] * weight
            else:
                following[node] += weights[index] * weight
        alive = following
    return dict(done)


def _core_pass(
    states: Sequence[reference.State],
    model: Model,
    scheme: Scheme,
    initial: Initial,
    window: int,
    length: int,
    scripts: Sequence[_Script],
) -> list[reference.State]:
    """What `reference.decode_pass` does, for a batch of states and by the tensor code."""
    source = _ScriptedRows(scripts)
    vocabulary = len(initial.image)
    held = _as_window(states, vocabulary)
    accepted = torch.tensor([len(state.taken) for state in states])
    wanted = torch.where(accepted > 0, (length - accepted - 1).clamp_max(window - 1), 0)
    filled = fill(held, wanted, accepted, _recent(states, vocabulary, initial.span), initial, source)
    laws = _laws(states, filled, model)
    taken, after = step(filled, laws, accepted, scheme, source)
    return [_as_state(state, taken.tokens[b], taken.counts[b], laws[b], after, b) for b, state in enumerate(states)]


def _recent(states: Sequence[reference.State], vocabulary: int, span: int) -> Recent:
    recent = Recent.of(torch.zeros(len(states), vocabulary, dtype=torch.float64), span)
    for b, state in enumerate(states):
        for position, draft in list(enumerate(state.taken))[-span:]:
            recent.tokens[b, position % span] = draft.token
            recent.laws[b, position % span] = torch.tensor(draft.law, dtype=torch.float64)
    return recent


def _as_window(states: Sequence[reference.State], vocabulary: int) -> Window:
    width = max(len(state.drafts) for state in states)
    nothing = reference.Draft(0, (0.0,) * vocabulary)
    rows = [(*state.drafts, *[nothing] * (width - len(state.drafts))) for state in states]
    shape = (len(states), width, vocabulary)
    return Window(
        torch.tensor([[draft.token for draft in row] for row in rows], dtype=torch.long).reshape(shape[:2]),
        torch.tensor([[draft.law for draft in row] for row in rows], dtype=torch.float64).reshape(shape),
        torch.tensor([len(state.drafts) for state in states]),
    )


def _laws(states: Sequence[reference.State], window: Window, model: Model) -> Tensor:
    """The model's laws [B, K + 1, V] under the drafts; behind a row's drafts its last law stands again."""
    rows = []
    for state, tokens, count in zip(states, window.tokens.tolist(), window.counts.tolist(), strict=True):
        laws = [model(state.accepted + tuple(tokens[:i])) for i in range(count + 1)]
        rows.append(laws + laws[-1:] * (window.tokens.shape[1] - count))
    return torch.tensor(rows, dtype=torch.float64)


def _as_state(
    state: reference.State, tokens: Tensor, count: Tensor, laws: Tensor, after: Window, b: int
) -> reference.State:
    drafts = tuple(
        reference.Draft(token, tuple(draft_law))
        for token, draft_law in zip(after.tokens[b].tolist(), after.laws[b].tolist(), strict=True)
    )
    taken = [reference.Draft(token, tuple(law)) for token, law in zip(tokens.tolist(), laws.tolist(), strict=True)]
    return reference.State(state.taken + tuple(taken[: int(count)]), drafts[: int(after.counts[b])])


@dataclass(frozen=True, slots=True)
class _ScriptedRows:
    """The tensor code's random source: row b follows its own script, which is asked only where it counts."""

    scripts: Sequence[_Script]

    def bernoulli(self, above: Tensor, below: Tensor, positions: Tensor, where: Tensor) -> Tensor:
        outcome = torch.zeros_like(where)
        tops, bottoms = above.tolist(), below.tolist()
        for b, i in where.nonzero().tolist():
            outcome[b, i] = self.scripts[b].bernoulli(tops[b][i], bottoms[b][i])
        return outcome

    def categorical(self, laws: Tensor, positions: Tensor, where: Tensor) -> Tensor:
        outcome = torch.zeros_like(positions)
        weights = laws.tolist()
        for b, i in where.nonzero().tolist():
            outcome[b, i] = self.scripts[b].categorical(weights[b][i])
        return outcome

    def shared(self, laws: Tensor, positions: Tensor, where: Tensor) -> Tensor:
        outcome = torch.zeros_like(positions)
        weights, places = laws.tolist(), positions.tolist()
        for b, i in where.nonzero().tolist():
            outcome[b, i] = self.scripts[b].shared(weights[b][i], places[b][i])
        return outcome
