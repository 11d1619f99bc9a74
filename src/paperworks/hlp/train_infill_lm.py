"""The script that makes the small infilling model that is shipped.

``python -m paperworks.hlp.train_infill_lm`` teaches `paperworks.lab.tiny_lm` to fill holes in this interpreter's
standard library, with the horizon loss, and writes the folder ``weights/infill_lm`` where the model fills held-out
lines better than a copy of the line before does and its head knows more than a constant. Started again after a cut,
it goes on from the last checkpoint.
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
from .schemes import FIM_SCHEMES
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
_WEIGHT = 1.0
"""Ten times the paper's: a model this small needs it to know the horizon well enough for a reader to look at."""
_STRETCH = 560
"""Characters: some 175 tokens, so that a sequence seldom loses its ends and a line more fits into the context."""
_HOLES = 200
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
    results = evaluated(model, tokenizer, list(stretches(library.texts("validation"), _STRETCH)))
    print(results, flush=True)
    ship(options.out, model, backend, library, {"results": results, "log": _log(trainer)})


def ship(out: Path, model: Any, backend: Any, library: Any, notes: dict[str, Any]) -> None:
    """Write the folder, complete or not at all.

    Raises RuntimeError where the model does no better than a copy of the line before, or its head than a constant.
    """
    results = notes["results"]
    if results["edit similarity"] <= results["edit similarity, line before"] or results["horizon skill"] <= 0:
        raise RuntimeError("the model does not beat its baselines on validation; it is not written: train it longer")
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    head = model.hlp_head
    del model.hlp_head
    head.save(beside / HEAD_FILE)
    training = {"objective": {"weight": _WEIGHT, "fim": {**asdict(SETTINGS)}}, "from": "paperworks.lab.tiny_lm"}
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
    """How the model fills whole lines of files it has not seen, beside a copy of the line before, and its head.

    ``texts`` are what the head is judged on, cut as in training.
    """
    model.train(False)
    holes = StdlibFIM(kind="line", split="validation", n=number, seed=RECIPE.seed).holes()
    filled = []
    for begin in range(0, len(holes), RECIPE.batch):
        batch = [(hole.prefix, hole.suffix) for hole in holes[begin : begin + RECIPE.batch]]
        filled += infill(model, tokenizer, batch, max_new_tokens=_LONGEST)
    before = [hole.prefix.rstrip("\n").rpartition("\n")[2] for hole in holes]
    truths = [hole.truth for hole in holes]
    horizon = _head(model, tokenizer, texts)

    def mean(values: Any) -> float:
        return round(float(np.mean(list(values))), 4)

    return {
        "holes": float(len(holes)),
        "exact match": mean(map(exact_match, (result.text for result in filled), truths)),
        "edit similarity": mean(map(edit_similarity, (result.text for result in filled), truths)),
        "exact match, line before": mean(map(exact_match, before, truths)),
        "edit similarity, line before": mean(map(edit_similarity, before, truths)),
        "stopped": mean(result.stopped for result in filled),
        "horizon error": round(horizon.mae, 4),
        "horizon error, constant": round(horizon.constant_mae, 4),
        "horizon skill": round(horizon.skill, 4),
    }


def _head(model: Any, tokenizer: Any, texts: Sequence[str]) -> HorizonStats:
    """The head on the middles of these texts, cut as in training."""
    collate = FIMCollator(tokenizer, replace(SETTINGS, fim_rate=1.0))
    said, wanted = [], []
    for begin in range(0, len(texts), RECIPE.batch):
        batch = collate([{"text": text} for text in texts[begin : begin + RECIPE.batch]])
        hidden = decoder_of(model)(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])[0]
        said.append(model.hlp_head(hidden).flatten())
        wanted.append(batch["hlp_targets"].flatten())
    return horizon_stats(torch.cat(said), torch.cat(wanted))


def _log(trainer: HLPTrainer) -> list[dict[str, float]]:
    entries = (entry for entry in trainer.state.log_history if "loss" in entry)
    return [{"step": entry["step"], "loss": round(entry["loss"], 4)} for entry in entries]


if __name__ == "__main__":
    main()
