"""transformers' Trainer with the memory loss."""

from __future__ import annotations

from typing import Any

from transformers import Trainer

from .memory import memory_loss, recorded
from .models import settings_of

__all__ = ["SelectiveTrainer"]


class SelectiveTrainer(Trainer):
    """A Trainer that adds the memory loss (Section 3) while it trains, with the model's ``mem_loss_eps``.

    The loss of an evaluation stays the model's own, so that it compares with other models.
    """

    def compute_loss(
        self,
        model: Any,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The model's loss, and in training the memory loss on top."""
        bare = self.accelerator.unwrap_model(model)
        settings = settings_of(bare.config)
        if not (model.training and settings.mem_loss_eps):
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        with recorded(bare) as recorder:
            loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        memory = memory_loss(recorder, eps=settings.mem_loss_eps, tau=settings.mem_tau)
        if self._is_summed_over_accumulation(num_items_in_batch):
            memory = memory / self.current_gradient_accumulation_steps
        loss = loss + memory.to(loss.dtype)
        return (loss, outputs) if return_outputs else loss

    def _is_summed_over_accumulation(self, num_items_in_batch: Any) -> bool:
        """Whether the Trainer takes the loss as a part of the accumulated batch's, and will not divide it."""
        if (said := getattr(self, "loss_is_scaled_for_ga", None)) is not None:
            return bool(said)
        by_model = self.model_accepts_loss_kwargs and num_items_in_batch is not None
        return bool(by_model or self.compute_loss_func is not None)
