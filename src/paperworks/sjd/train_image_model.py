"""The script that makes the image model that is shipped.

``python -m paperworks.sjd.train_image_model`` takes random crops of nine pictures that come with scikit-image and
scikit-learn, and simple patterns; makes a codebook of their patches and a decoder for it; and trains a small Llama on
the crops' codes, each behind the name of its picture. It writes ``weights/image_model``. Started again after a cut, it
goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from safetensors.torch import save_file
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor
from transformers import LlamaForCausalLM

from paperworks.lab.disk import sha256_of, write_atomically
from paperworks.lab.tiny_lm import Recipe, without_bars
from paperworks.lab.train_tiny_lm import Training, untrained

from .codec import PATCH, PictureCodec, patches
from .image_model import CODEC, RECORD, SHIPPED, settle
from .pictures import NAMES, SIDE, crops

__all__ = ["main"]

Codes = NDArray[np.int64]

LINES = SIDE // PATCH
TOKENS = LINES**2
SHOW_EVERY = 100


@dataclass(frozen=True, kw_only=True)
class CodecRecipe:
    """A codebook from the patches of ``crops`` crops a picture, and ``steps`` steps of ``batch`` for its decoder."""

    codes: int = 512
    width: int = 48
    blocks: int = 2
    crops: int = 400
    steps: int = 1500
    batch: int = 32
    learning_rate: float = 1e-3
    seed: int = 0

    @property
    def shape(self) -> dict[str, int]:
        """The arguments of the `PictureCodec`."""
        return {"codes": self.codes, "width": self.width, "blocks": self.blocks}


CODEC_RECIPE = CodecRecipe()
RECIPE = Recipe(
    vocabulary=CODEC_RECIPE.codes + len(NAMES),
    hidden=96,
    intermediate=256,
    layers=6,
    heads=4,
    kv_heads=4,
    context=TOKENS,
    tokens=4_500_000,
    batch=16,
    learning_rate=4e-3,
)
"""Narrow and deep, as the pass of a window is to cost little more than that of a token on a CPU too."""
CROPS = {"train": 2500, "validation": 20}
"""Crops of each picture. Validation has other crops of the same pictures: how well codes are predicted, no more."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train codec and model, and write the shipped folder; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m paperworks.sjd.train_image_model", description=__doc__)
    parser.add_argument(
        "--work", type=Path, default=Path(".paperworks/training/image_model"), help="where checkpoints are kept"
    )
    parser.add_argument("--out", type=Path, default=SHIPPED, help="the folder to write")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    codec, error = _codec(options.work)
    codes = {split: _codes(codec, options.work, split) for split in CROPS}
    training = Training(
        RECIPE,
        codes["train"].ravel().astype(np.int32),
        options.work,
        model=untrained(RECIPE, _config()),
        batches=_whole_pictures,
    )
    _train(training, torch.from_numpy(codes["validation"]))
    _ship(options.out, training, codec, error)


def _config() -> transformers.LlamaConfig:
    """The recipe's architecture, without the end that texts have."""
    config = RECIPE.config()
    config.bos_token_id = config.eos_token_id = config.pad_token_id = None
    return config


def _pixels(count: int, name: str, seed: int) -> Tensor:
    """Crops [N, 3, 64, 64] of a picture, numbers in 0 .. 1."""
    drawn = crops(name, count, np.random.default_rng([seed, NAMES.index(name)]))
    return torch.from_numpy(drawn).movedim(-1, 1) / 255


def _codec(work: Path) -> tuple[PictureCodec, float]:
    """The trained codec and its mean squared error, from ``work`` if it was finished there before."""
    kept, recipe = work / "codec.pt", CODEC_RECIPE
    codec = PictureCodec(**recipe.shape)
    if kept.exists():
        saved = torch.load(kept, weights_only=True)
        codec.load_state_dict(saved["state"])
        return codec.eval(), saved["error"]
    torch.manual_seed(recipe.seed)
    codec = PictureCodec(**recipe.shape)
    pixels = torch.cat([_pixels(recipe.crops, name, seed=1) for name in NAMES])
    codec.codebook.copy_(_codebook(pixels))
    error = _train_decoder(codec, pixels)
    work.mkdir(parents=True, exist_ok=True)
    torch.save({"state": codec.state_dict(), "error": error}, kept)
    return codec.eval(), error


def _codebook(pixels: Tensor) -> Tensor:
    """The centres [K, 48] of the crops' patches."""
    flat = patches(pixels).movedim(1, -1).flatten(0, 2).numpy()
    found = MiniBatchKMeans(CODEC_RECIPE.codes, batch_size=8192, n_init=3, random_state=CODEC_RECIPE.seed).fit(flat)
    return torch.from_numpy(found.cluster_centers_).float()


def _train_decoder(codec: PictureCodec, pixels: Tensor) -> float:
    """Lower the decoder's absolute error; returns the mean squared error of the last tenth of the steps."""
    recipe = CODEC_RECIPE
    codes = torch.cat([codec.encode(part) for part in torch.split(pixels, 256)])
    optimizer = torch.optim.AdamW(codec.parameters(), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, recipe.steps)
    rng, errors, began = np.random.default_rng(recipe.seed), [], time.monotonic()
    for step in range(recipe.steps):
        chosen = torch.from_numpy(rng.integers(len(pixels), size=recipe.batch))
        painted = codec(codes[chosen])
        loss = (painted - pixels[chosen]).abs().mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        errors.append((painted - pixels[chosen]).square().mean().item())
        if (step + 1) % SHOW_EVERY == 0:
            shown = np.mean(errors[-SHOW_EVERY:])
            print(f"codec: step {step + 1}, mse {shown:.5f}, {time.monotonic() - began:.0f} s", flush=True)
    return float(np.mean(errors[-recipe.steps // 10 :]))


def _codes(codec: PictureCodec, work: Path, split: str) -> Codes:
    """The crops of a split as sequences [N, 1 + 256]: the picture's name, and its codes."""
    kept = work / f"{split}.npy"
    if kept.exists():
        return np.load(kept)  # type: ignore[no-any-return]
    sequences = []
    for index, name in enumerate(NAMES):
        pixels = _pixels(CROPS[split], name, seed=2 + list(CROPS).index(split))
        codes = torch.cat([codec.encode(part).flatten(1) for part in torch.split(pixels, 256)]).numpy()
        sequences.append(np.insert(codes, 0, CODEC_RECIPE.codes + index, axis=1))
    found = np.concatenate(sequences)
    np.save(kept, found)
    return found


def _whole_pictures(recipe: Recipe, stream: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets [B, 256] of a step: whole pictures, in a new random order in every epoch."""
    pictures = stream.view(-1, recipe.context + 1)
    epoch, place = divmod(step, len(pictures) // recipe.batch)
    order = np.random.default_rng([recipe.seed, epoch]).permutation(len(pictures))
    rows = pictures[order[place * recipe.batch : (place + 1) * recipe.batch]]
    return rows[:, :-1], rows[:, 1:]


def _train(training: Training, validation: Tensor) -> None:
    began, first = time.monotonic(), training.done
    for done in training.run():
        if done % SHOW_EVERY and done != training.recipe.steps:
            continue
        if training.log:
            training.log[-1]["validation_nats"] = round(_nats(training.model, validation), 4)
            left = (time.monotonic() - began) / (done - first) * (training.recipe.steps - done)
            print(f"{training.log[-1]}, {left:.0f} s to go", flush=True)


@torch.inference_mode()
def _nats(model: LlamaForCausalLM, sequences: Tensor) -> float:
    """The mean cross-entropy of a code in nats."""
    model.train(False)
    losses = [
        torch.nn.functional.cross_entropy(model(rows[:, :-1]).logits.transpose(1, 2), rows[:, 1:])
        for rows in torch.split(sequences, 60)
    ]
    return float(torch.stack(losses).mean())


def _ship(out: Path, training: Training, codec: PictureCodec, error: float) -> None:
    """Write the model's folder, complete or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    model = training.model
    settle(model, CODEC_RECIPE.codes, TOKENS)
    torch.nn.Module.half(model)
    with without_bars():
        model.save_pretrained(beside)
    save_file({name: tensor.half() for name, tensor in codec.state_dict().items()}, beside / CODEC)
    record: dict[str, Any] = {
        "prompts": NAMES,
        "grid": (LINES, LINES),
        "recipe": asdict(training.recipe),
        "codec": {"shape": CODEC_RECIPE.shape, "recipe": asdict(CODEC_RECIPE), "mean_squared_error": round(error, 6)},
        "crops": CROPS,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "sha256": {file.name: sha256_of(file) for file in sorted(beside.iterdir())},
        "log": training.log,
    }
    write_atomically(beside / RECORD, (json.dumps(record, indent=1) + "\n").encode())
    for file in (beside, *beside.iterdir()):
        file.chmod(0o755 if file.is_dir() else 0o644)
    if out.exists():
        shutil.rmtree(out)
    beside.rename(out)


if __name__ == "__main__":
    main()
