"""The script that makes the small infilling model that is shipped.

``python -m paperworks.hlp.train_infill_lm`` teaches `paperworks.lab.tiny_lm` to fill holes in this interpreter's
standard library, with the horizon loss, and writes the folder ``weights/infill_lm`` where on held-out files reading
what stands after a hole helps, and the head knows more than a constant. Started again after a cut, it goes on from the
last checkpoint.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from paperworks.lab import tiny_lm

from .collator import FIMCollator, FIMSettings
from .holes import StdlibFIM
from .horizon import HLPConfig, HorizonStats, horizon_stats
from .infill_lm import SCHEME, SHIPPED, stretches, with_sentinels
from .infilling import infill
from .schemes import FIM_SCHEMES, Mode
from .scores import edit_similarity, exact_match
from .trainer import HEAD_FILE, HLPTrainer, decoder_of

__all__ = ["RECIPE", "SETTINGS", "evaluated", "main"]

RECIPE = replace(
    tiny_lm.RECIPES["tiny_lm"],
    vocabulary=tiny_lm.RECIPES["tiny_lm"].vocabulary + 4,
    tokens=6_553_600,
    batch=8,
    learning_rate=1e-3,
    optimizer="adamw",
)
"""The shape of ``tiny_lm``, and how it is trained further, on at most so many ``tokens``: no batch is quite full."""
SETTINGS = FIMSettings(
    fim_rate=0.9, split={"char": 0.3, "line": 0.4, "syntax": 0.3}, max_length=RECIPE.context, seed=RECIPE.seed
)
_MODE: Mode = "psm"
_WEIGHT = 1.0
"""Ten times the paper's: a model this small needs it to know the horizon well enough for a reader to look at."""
_STRETCH = 560
"""Characters: some 175 tokens, so that a sequence seldom loses its ends and a line more fits into the context."""
_HOLES = 200
_STRETCHES = 300
_LONGEST = 48


def main(given: Sequence[str] | None = None) -> None:
    """Train, evaluate, and write the folder of the shipped model; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m paperworks.hlp.train_infill_lm", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".paperworks/training/infill_lm"), help="checkpoints")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="the folder to write")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(given)
    torch.set_num_threads(options.threads)
    model, backend = with_sentinels(tiny_lm.SHIPPED)
    library = tiny_lm.load(tiny_lm.SHIPPED).corpus
    sentinels = FIM_SCHEMES[SCHEME]
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, eos_token=sentinels.end, pad_token=sentinels.end
    )
    trainer = _trainer(model, tokenizer, list(stretches(library.texts("train"), _STRETCH)), options.work)
    last = get_last_checkpoint(str(options.work)) if options.work.is_dir() else None  # type: ignore[no-untyped-call]
    trainer.train(resume_from_checkpoint=last)
    torch.nn.Module.float(torch.nn.Module.half(model))
    results = evaluated(model, tokenizer, list(stretches(library.texts("validation"), _STRETCH))[:_STRETCHES])
    print(results, flush=True)
    ship(options.out, model, backend, library, {"results": results, "log": _log(trainer)})


def ship(out: Path, model: Any, backend: Any, library: Any, notes: dict[str, Any]) -> None:
    """Write the folder, complete or not at all.

    Raises RuntimeError where reading what stands after a hole does not help the model, or its head knows nothing.
    """
    results = notes["results"]
    if results["middle, nats a token"] >= results["middle, nats a token, tiny_lm"] or results["horizon skill"] <= 0:
        raise RuntimeError("the model does not beat its baselines on validation; it is not written: train it longer")
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    head = model.hlp_head
    del model.hlp_head
    head.save(beside / HEAD_FILE)
    training = {"objective": {"weight": _WEIGHT, "fim": {**asdict(SETTINGS)}}, "from": "paperworks.lab.tiny_lm"}
    model.config.fim_mode = _MODE  # what `infill` reads
    tiny_lm.save(
        beside, model=model, tokenizer=backend, recipe=RECIPE, library=library, notes={"training": training, **notes}
    )
    beside.chmod(0o755)
    if out.exists():
        shutil.rmtree(out)
    beside.rename(out)


def _trainer(model: Any, tokenizer: Any, texts: list[str], work: Path) -> HLPTrainer:
    arguments = TrainingArguments(
        str(work),
        max_steps=RECIPE.steps,
        per_device_train_batch_size=RECIPE.batch,
        learning_rate=RECIPE.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(RECIPE.warmup * RECIPE.steps),
        weight_decay=RECIPE.weight_decay,
        adam_beta2=0.95,
        seed=RECIPE.seed,
        logging_steps=50,
        save_steps=100,
        save_total_limit=1,
        report_to=[],
        use_cpu=True,
        bf16=RECIPE.precision == "bfloat16",
        remove_unused_columns=False,
        disable_tqdm=True,
    )
    return HLPTrainer(
        model,
        arguments,
        train_dataset=[{"text": text} for text in texts],
        data_collator=FIMCollator(tokenizer, SETTINGS),
        hlp=HLPConfig(weight=_WEIGHT),
    )


@torch.no_grad()
def evaluated(model: Any, tokenizer: Any, texts: Sequence[str], number: int = _HOLES) -> dict[str, float]:
    """How the model does on texts it has not seen, cut into whole lines, and its head on them cut as in training.

    What it says of a middle's tokens when it has read what stands after the hole is held against `tiny_lm`, which has
    read what stands before it only: nats a token, the same tokens.
    """
    model.train(False)
    holes = StdlibFIM(kind="line", split="validation", n=number, seed=RECIPE.seed).holes()
    filled = []
    for begin in range(0, len(holes), RECIPE.batch):
        batch = [(hole.prefix, hole.suffix) for hole in holes[begin : begin + RECIPE.batch]]
        filled += infill(model, tokenizer, batch, max_new_tokens=_LONGEST)
    collate = FIMCollator(tokenizer, replace(SETTINGS, fim_rate=1.0))
    cut = [collate.sequence(text) for text in texts]
    reads_on, reads_before = _nats(model, tiny_lm.load(tiny_lm.SHIPPED).model, collate, cut)
    horizon = _head(model, cut)

    def mean(values: Any) -> float:
        return round(float(np.mean(list(values))), 4)

    return {
        "middle, nats a token": round(reads_on, 4),
        "middle, nats a token, tiny_lm": round(reads_before, 4),
        "horizon error": round(horizon.mae, 4),
        "horizon error, constant": round(horizon.constant_mae, 4),
        "horizon skill": round(horizon.skill, 4),
        "holes": float(len(holes)),
        "exact match": mean(exact_match(one.text, hole.truth) for one, hole in zip(filled, holes, strict=True)),
        "edit similarity": mean(edit_similarity(one.text, hole.truth) for one, hole in zip(filled, holes, strict=True)),
        "stopped": mean(result.stopped for result in filled),
    }


def _nats(model: Any, before_only: Any, collate: FIMCollator, cut: Sequence[tuple[Any, Any]]) -> tuple[float, float]:
    """The mean loss of all tokens of middles: after prefix and suffix, and for ``before_only`` after the prefix."""
    losses: dict[str, list[float]] = {"on": [], "before": []}
    for ids, targets in cut:
        middle = ids[targets >= 0]
        prefix = ids[1 : int(np.flatnonzero(ids == collate.scheme.suffix)[0])]
        if len(middle) and len(prefix):
            losses["on"] += _losses(model, ids[: len(ids) - 1], len(middle))
            losses["before"] += _losses(before_only, np.concatenate([prefix, middle]), len(middle))
    return float(np.mean(losses["on"])), float(np.mean(losses["before"]))


def _losses(model: Any, ids: Any, last: int) -> list[float]:
    """The negative log likelihood of each of the last tokens, in nats."""
    tokens = torch.from_numpy(ids)[None]
    logits = model(input_ids=tokens).logits[0, -last - 1 : -1]
    found: list[float] = torch.nn.functional.cross_entropy(logits, tokens[0, -last:], reduction="none").tolist()
    return found


def _head(model: Any, cut: Sequence[tuple[Any, Any]]) -> HorizonStats:
    """The head at the middles of these sequences, each an array of ids and one of targets."""
    said = [model.hlp_head(decoder_of(model)(input_ids=torch.from_numpy(ids)[None])[0])[0] for ids, _ in cut]
    return horizon_stats(torch.cat(said), torch.cat([torch.from_numpy(targets) for _, targets in cut]))


def _log(trainer: HLPTrainer) -> list[dict[str, float]]:
    entries = (entry for entry in trainer.state.log_history if "loss" in entry)
    return [{"step": entry["step"], "loss": round(entry["loss"], 4)} for entry in entries]


if __name__ == "__main__":
    main()
