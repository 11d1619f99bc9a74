"""transformers' Trainer with the horizon loss, and no trace of it in the model that is saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback

from .collator import FIMCollator
from .horizon import HLPConfig, HLPHead, absolute_errors

__all__ = ["HEAD_FILE", "HLPMixin", "HLPTrainer"]

HEAD_FILE = "hlp_head.safetensors"
_HEAD = "hlp_head."


class HLPMixin:
    """Put before a Trainer class: ``class HLPSomeTrainer(HLPMixin, SomeTrainer)``.

    The head reads what the decoder gives, in a hook, so that no other layer's states are kept and ``lm_head`` need
    not be called. Its loss is averaged over the middle's tokens of all accumulated batches and all processes, as the
    Trainer does with the model's. Evaluation is that of the plain Trainer.
    """

    hlp_head: HLPHead

    def __init__(self, model: Any, *args: Any, hlp: HLPConfig | None = None, **kwargs: Any) -> None:
        self.hlp = hlp or HLPConfig()
        self._middle_tokens: Tensor | None = None
        decoder_of(model)
        if not hasattr(model, "hlp_head"):
            model.hlp_head = HLPHead(model.config.get_text_config().hidden_size).to(model.device)
        super().__init__(model, *args, **kwargs)  # type: ignore[call-arg]
        self.hlp_head = model.hlp_head
        collator = self.data_collator  # type: ignore[attr-defined]
        if isinstance(collator, FIMCollator):
            if self.args.remove_unused_columns:  # type: ignore[attr-defined]
                raise ValueError("FIMCollator reads the column of text: set remove_unused_columns=False")
            self.add_callback(_EpochCallback(collator))  # type: ignore[attr-defined]

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> Any:
        """The batches of one step; counts the tokens of their middles."""
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)  # type: ignore[misc]
        counts = [(batch["hlp_targets"] >= 0).sum() for batch in batches if "hlp_targets" in batch]
        count = torch.stack(counts).sum().to(device) if counts else torch.zeros((), dtype=torch.long, device=device)
        self._middle_tokens = self.accelerator.gather(count).sum()  # type: ignore[attr-defined]
        return batches, items

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The model's loss, and in training lambda times that of the horizon on top."""
        inputs = dict(inputs)
        targets = inputs.pop("hlp_targets", None)
        if targets is None or not model.training or not self.hlp.weight:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[misc]
        with self._listening(model) as horizons:
            result = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[misc]
        loss, *outputs = result if return_outputs else (result,)
        errors = absolute_errors(horizons[0], targets).sum() * self._share(targets, num_items_in_batch)
        loss = loss + self.hlp.weight * errors.to(loss.dtype)
        return (loss, *outputs) if return_outputs else loss

    @contextmanager
    def _listening(self, model: Any) -> Iterator[list[Tensor]]:
        """Inside, every run of the model adds what the head says of it to the list.

        Nothing times it is added to the model's output: DistributedDataParallel looks there for the parameters that
        were used, and takes the head's for idle otherwise. A compiled model is left at the hooks, which change.
        """
        bare = self.accelerator.unwrap_model(model, keep_torch_compile=False)  # type: ignore[attr-defined]
        horizons: list[Tensor] = []

        @torch.compiler.disable  # type: ignore[untyped-decorator]
        def listen(decoder: nn.Module, given: Any, output: Any) -> None:
            horizons.append(bare.hlp_head(output[0]))

        @torch.compiler.disable  # type: ignore[untyped-decorator]
        def tie(whole: nn.Module, given: Any, output: Any) -> None:
            first = next(iter(output))
            output[first] = output[first] + 0 * horizons[-1].sum()

        hooks = [decoder_of(bare).register_forward_hook(listen), bare.register_forward_hook(tie)]
        try:
            yield horizons
        finally:
            for hook in hooks:
                hook.remove()

    def _share(self, targets: Tensor, num_items_in_batch: Any) -> Tensor:
        """What a sum of errors is multiplied by to become this batch's share of the mean over the whole step.

        Processes are averaged afterwards, which is undone here; so are accumulated batches, where the Trainer averages.
        """
        counted = self._middle_tokens
        trainer: Any = self
        if counted is None:
            return torch.reciprocal((targets >= 0).sum().clamp(min=1))
        share: Tensor = trainer.accelerator.num_processes / counted.to(targets.device).clamp(min=1)
        summed = trainer.model_accepts_loss_kwargs and num_items_in_batch is not None
        trainer.loss_is_scaled_for_ga = bool(summed or trainer.compute_loss_func is not None)
        return share if trainer.loss_is_scaled_for_ga else share * trainer.current_gradient_accumulation_steps

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """The model without the head, and the head in a file beside it."""
        state = self.model.state_dict() if state_dict is None else state_dict  # type: ignore[attr-defined]
        clean = {name: tensor for name, tensor in state.items() if not name.startswith(_HEAD)}
        super()._save(output_dir, clean)  # type: ignore[misc]
        self.hlp_head.save(Path(output_dir or self.args.output_dir, HEAD_FILE))  # type: ignore[attr-defined]

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """A checkpoint's model, and its head."""
        super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]
        self.hlp_head.load_state_dict(HLPHead.load(Path(resume_from_checkpoint, HEAD_FILE)).state_dict())


class HLPTrainer(HLPMixin, Trainer):
    """transformers' Trainer with the horizon loss: ``HLPTrainer(model, args, hlp=HLPConfig(weight=0.1), ...)``."""


class _EpochCallback(TrainerCallback):
    """Tells the collator which epoch it is."""

    def __init__(self, collator: FIMCollator) -> None:
        self._collator = collator

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called by the Trainer."""
        self._collator.set_epoch(int(state.epoch or 0))


def decoder_of(model: Any) -> nn.Module:
    """The part of a causal language model whose output feeds ``lm_head``. Raises ValueError where there is none."""
    find = getattr(model, "get_decoder", None)
    decoder = find() if find is not None else None
    if not isinstance(decoder, nn.Module) or decoder is model:
        raise ValueError(
            f"{type(model).__name__} has no decoder of its own (get_decoder()): "
            "give a causal language model of transformers"
        )
    return decoder
