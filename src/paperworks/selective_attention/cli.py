"""``paperworks selective-attention``: a page of who masked whom, and budgets for a model's cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paperworks.core import UserError
from paperworks.lab import cli

if TYPE_CHECKING:
    from .budgets import BudgetResult

app = cli.commands("Selective attention: who masked whom, and how small the cache may be.")

Model = Annotated[str, typer.Option("--model", metavar="DIR", help="The folder of a model with selective attention.")]


@app.command()
def explain(
    text: Annotated[str, typer.Option(help="What the model reads.")],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The folder of a model with selective attention.  [default: the small one that comes with paperworks]",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("who-masked-whom.html"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the votes and penalties too, as JSON.")] = False,
) -> None:
    """Write a page of which tokens masked which.

    One HTML file, with everything in it: for every layer the votes of each token on the earlier ones, and the penalties
    that they add up to. The small model that comes with paperworks reads Python source.
    """
    from paperworks.lab import page

    from .explanation import LONGEST
    from .explanation import explain as explain_text

    loaded, tokenizer = _shipped() if model is None else _load(model)
    ids = tokenizer(text, return_tensors="pt", verbose=False).input_ids
    most = min(LONGEST, loaded.config.get_text_config(decoder=True).max_position_embeddings)
    if not 1 <= ids.shape[1] <= most:
        raise UserError(f"--text has {ids.shape[1]} tokens: give 1 to {most}, as many as model and page hold")
    try:
        explanation = explain_text(loaded, ids, [tokenizer.decode([number]) for number in ids[0].tolist()])
    except ValueError as error:
        raise UserError(str(error)) from error
    try:
        page.write(out, explanation.to_html())
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}") from error
    if as_json:
        cli.print_json(explanation.to_dict())
    else:
        cli.show(f"{out}: {len(explanation.tokens)} tokens, {len(explanation.layers)} layers")


@app.command()
def budgets(
    model: Model,
    rise: Annotated[float, typer.Option(min=0, help="How much the loss may rise, in nats a token.")] = 0.01,
    text: Annotated[
        Path | None, typer.Option(help="A UTF-8 text file.  [default: files of Python's standard library]")
    ] = None,
    context: Annotated[int, typer.Option(min=8, help="Tokens of a sequence.")] = 256,
    sequences: Annotated[int, typer.Option(min=1, help="Sequences to evaluate.")] = 16,
    step: Annotated[int, typer.Option(min=1, help="Tokens that the last cuts take off.")] = 8,
    as_json: cli.Json = False,
) -> None:
    """Find how few tokens each layer has to keep.

    The budgets are those with which the model's loss on the text rises by no more than --rise. They are written to the
    folder's config.json, where SelectiveCache(model) takes them from.
    """
    from .budgets import find_budgets
    from .pruned_loss import PrunedLoss

    loaded, tokenizer = _load(model)
    decoder = loaded.config.get_text_config(decoder=True)
    if context > decoder.max_position_embeddings:
        raise UserError(f"--context {context} is more than the model's {decoder.max_position_embeddings} positions")
    batch = _sequences(tokenizer, _standard_library() if text is None else _read(text), context, sequences)
    whole = (context,) * decoder.num_hidden_layers
    try:
        target = PrunedLoss(loaded, [{"input_ids": batch}])(whole) + rise
        with cli.bars() as progress:
            result = find_budgets(loaded, [batch], target, step=step, progress=progress)
    except ValueError as error:
        raise UserError(str(error)) from error
    _write(Path(model), loaded, result)
    _show(result, as_json)


def _show(result: BudgetResult, as_json: bool) -> None:
    if as_json:
        cli.print_json(
            {
                "budgets": result.budgets,
                "context": result.context,
                "loss": result.loss,
                "loss_unpruned": result.curve[0].loss,
                "memory_factor": result.memory_factor,
                "complete": result.complete,
            }
        )
        return
    rows = [(str(layer), str(budget)) for layer, budget in enumerate(result.budgets)]
    ending = "" if result.complete else "; interrupted, smaller ones may do"
    cli.show(
        cli.table(("layer", "budget"), rows, title=f"Tokens kept of {result.context}"),
        f"memory {result.memory_factor:.2f} times smaller at a loss of {result.loss:.4f} nats a token "
        f"({result.loss - result.curve[0].loss:+.4f}){ending}",
    )


def _shipped() -> tuple[Any, Any]:
    """The model that comes with the package, and its tokenizer."""
    from . import selective_lm

    try:
        return selective_lm.load().model, selective_lm.tokenizer()
    except ValueError as error:  # a damaged file
        raise UserError(str(error)) from error


def _load(model: str) -> tuple[Any, Any]:
    """The model, which must have selective attention, and its tokenizer, from a folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from . import hf  # noqa: F401  (registers the attention that the folder names)
    from .models import NAME

    if not Path(model).is_dir():
        raise UserError(f"{model!r} is no folder: give one that save_pretrained has written")
    try:
        loaded = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise UserError(f"{model!r} is no causal language model with a tokenizer: {_first_line(error)}") from error
    if loaded.config._attn_implementation != NAME:
        raise UserError(f"{model!r} has no selective attention: train it after hf.enable(model), and save it")
    return loaded, tokenizer


def _sequences(tokenizer: Any, text: str, context: int, count: int) -> Any:
    """The first tokens of ``text`` as ``count`` rows [count, context]."""
    import torch

    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    if len(ids) < count * context:
        raise UserError(f"the text has {len(ids)} tokens, fewer than {count} sequences of {context}: ask for less")
    return torch.tensor(ids[: count * context]).reshape(count, context)


def _write(folder: Path, model: Any, result: BudgetResult) -> None:
    """Put the budgets into the folder's config.json, and leave everything else in it as it is."""
    import json

    from paperworks.lab.disk import write_atomically

    from .models import SETTINGS, settings_of

    kept = tuple(budget if budget < result.context else None for budget in result.budgets)
    path = folder / "config.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    holder = stored.get("text_config", stored)
    holder[SETTINGS] = replace(settings_of(model.config), budgets=kept).to_dict()
    write_atomically(path, (json.dumps(stored, indent=2, sort_keys=True) + "\n").encode())


def _standard_library() -> str:
    from paperworks.lab import corpus

    return "\n".join(corpus.standard_library().texts("validation"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as UTF-8 text: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
