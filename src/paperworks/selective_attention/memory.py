"""The memory loss (Section 3): what a model is trained with so that its contexts can be pruned further."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from .models import Selection, observed

__all__ = ["Recorder", "memory_loss", "recorded"]


class Recorder:
    """The selection of each layer in the first call that it sees, by the layer's number."""

    def __init__(self) -> None:
        self.selections: dict[int, Selection] = {}

    def __call__(self, selection: Selection) -> None:
        """Take a layer's selection; what gradient checkpointing computes again is passed over."""
        self.selections.setdefault(selection.layer, selection)


@contextmanager
def recorded(model: Any) -> Iterator[Recorder]:
    """Record how ``model`` selects: ``with recorded(model) as recorder: loss = model(**batch).loss``."""
    recorder = Recorder()
    with observed(model, recorder):
        yield recorder


def memory_loss(recorder: Recorder, *, eps: float = 0.1, tau: float = 1.0) -> Tensor:
    """The mean over rows of eps / (L n) times the sum over the L layers of max_i M_i, to be added to the loss.

    M_i = i - sum_{k <= i} min(F_ik, tau) / tau is the soft number of tokens that query i (counted from 0) still needs
    besides itself, n the row's tokens without padding, which the recorder knows. Clamping at tau keeps the penalties
    from being driven ever higher. Returns a scalar.

    Raises ValueError where nothing was recorded, or without a gradient, as under reentrant gradient checkpointing.
    """
    if not recorder.selections:
        raise ValueError("no layer was recorded: run the model inside recorded(model)")
    return eps * torch.stack([_share_needed(each, tau) for each in recorder.selections.values()]).mean()


def _share_needed(selection: Selection, tau: float) -> Tensor:
    """max_i M_i / n of one layer, its mean over the rows."""
    if torch.is_grad_enabled() and not selection.query.requires_grad:
        raise ValueError(
            "the memory loss gets no gradient from this model: its weights are frozen, or it checkpoints by reentry "
            "(use gradient_checkpointing_kwargs={'use_reentrant': False})"
        )
    layout = selection.layout
    penalty, _ = selection.penalties()
    past = layout.visible() & (layout.key_pos[:, None] < layout.query_pos[..., None])
    needed = ((1 - penalty.clamp(max=tau) / tau) * past).sum(-1)
    return (needed.amax(-1) / (layout.query_pos >= 0).sum(-1).clamp(min=1)).mean()
