"""Transformers whose feed-forward parts are mixtures of MLPs and KANs: for images, and for text in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .mixture import MLPKAN

__all__ = ["EncoderConfig", "MlpKanBlock", "TextEncoder", "VisionTransformer", "create_vit"]

_SPREAD = 0.02  # standard deviation of embeddings at the start


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Sizes and settings of a stack of blocks.

    ``hidden``, ``num_experts``, ``top_k`` and ``dropout`` are those of `MLPKAN`. ``drop_path`` is the share of the rows
    that skip a branch of the last block while training; it rises from 0 over the blocks.
    """

    dim: int = 48
    depth: int = 2
    heads: int = 2
    hidden: int = 96
    num_experts: int = 8
    top_k: int = 2
    dropout: float = 0.1
    drop_path: float = 0.0
    attention_bias: bool = True
    norm_eps: float = 1e-6

    def __post_init__(self) -> None:
        if self.heads < 1 or self.dim % self.heads:
            raise ValueError(f"dim is {self.dim}: it must be a multiple of the {self.heads} heads")
        if self.depth < 1:
            raise ValueError(f"depth is {self.depth}: a stack has at least 1 block")
        if not 0 <= self.drop_path < 1:
            raise ValueError(f"drop_path is {self.drop_path}: it must be at least 0 and below 1")


class MlpKanBlock(nn.Module):
    """X' = X + MHA(LN(X)); Y = X' + F(LN(X')), with F a mixture (Eq. 13, with the residual that Appendix A has).

    While training, each of the two branches is skipped by a share ``drop_path`` of the batch's rows.
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int,
        feed_forward: nn.Module,
        drop_path: float = 0.0,
        attention_bias: bool = True,
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.norm_attention, self.norm_feed_forward = (nn.LayerNorm(dim, eps=norm_eps) for _ in range(2))
        self.attention = nn.MultiheadAttention(dim, heads, bias=attention_bias, batch_first=True)
        self.feed_forward, self.drop_path = feed_forward, drop_path

    def forward(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        """[B, N, dim] to [B, N, dim]; no token sees those where ``padding`` [B, N] is True."""
        normed = self.norm_attention(x)
        seen = self.attention(normed, normed, normed, key_padding_mask=padding, need_weights=False)[0]
        x = x + self._kept(seen)
        outputs: Tensor = x + self._kept(self.feed_forward(self.norm_feed_forward(x)))
        return outputs

    def _kept(self, branch: Tensor) -> Tensor:
        """The branch, zero for the rows that skip it and scaled to keep its mean for the others."""
        if not self.training or not self.drop_path:
            return branch
        kept = torch.rand(len(branch), 1, 1, device=branch.device) >= self.drop_path
        return branch * kept / (1 - self.drop_path)


class _Stack(nn.Module):
    """Blocks one after the other, and a layer norm."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            MlpKanBlock(
                config.dim,
                heads=config.heads,
                feed_forward=MLPKAN(
                    config.dim,
                    hidden=config.hidden,
                    num_experts=config.num_experts,
                    top_k=config.top_k,
                    dropout=config.dropout,
                ),
                drop_path=config.drop_path * (place / max(1, config.depth - 1)),
                attention_bias=config.attention_bias,
                norm_eps=config.norm_eps,
            )
            for place in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps)

    def forward(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        for block in self.blocks:
            x = block(x, padding)
        normed: Tensor = self.norm(x)
        return normed


class VisionTransformer(nn.Module):
    """Patches and a class token through the blocks; the class token's last state through a linear map to the classes.

    Raises ValueError if the image cannot be divided into patches.
    """

    def __init__(
        self, config: EncoderConfig, *, image_size: int, patch_size: int, classes: int, channels: int = 3
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise ValueError(f"an image of {image_size} pixels cannot be divided into patches of {patch_size}")
        self.image_shape = (channels, image_size, image_size)
        self.patches = nn.Conv2d(channels, config.dim, patch_size, stride=patch_size)
        self.first = nn.Parameter(torch.randn(1, 1, config.dim) * _SPREAD)
        count = (image_size // patch_size) ** 2
        self.places = nn.Parameter(torch.randn(1, 1 + count, config.dim) * _SPREAD)
        self.stack, self.head = _Stack(config), nn.Linear(config.dim, classes)

    def forward(self, images: Tensor) -> Tensor:
        """[B, channels, size, size] to logits [B, classes]. Raises ValueError for images of another shape."""
        if images.shape[1:] != self.image_shape:
            raise ValueError(f"images are {tuple(images.shape[1:])}: this model takes {self.image_shape}")
        tokens = self.patches(images).flatten(2).mT
        tokens = torch.cat([self.first.expand(len(images), -1, -1), tokens], dim=1)
        logits: Tensor = self.head(self.stack(tokens + self.places)[:, 0])
        return logits


_DEIT = {"tiny": (192, 3), "small": (384, 6), "base": (768, 12)}


def create_vit(
    name: str, *, image_size: int = 224, patch_size: int = 16, classes: int = 1000, channels: int = 3, **settings: Any
) -> VisionTransformer:
    """The paper's network for images, "mlpkan_deit_tiny", "..._small" or "..._base", with random weights (Section 2.3).

    Twelve blocks of width 192, 384 or 768 with 3, 6 or 12 heads and experts of hidden width 192; ``settings`` are other
    ones of `EncoderConfig`. Raises ValueError for another name.
    """
    sizes = {f"mlpkan_deit_{size}": shape for size, shape in _DEIT.items()}
    if name not in sizes:
        raise ValueError(f"{name!r} is none of {', '.join(sizes)}")
    dim, heads = sizes[name]
    config = EncoderConfig(**{"dim": dim, "depth": 12, "heads": heads, "hidden": 192} | settings)
    return VisionTransformer(config, image_size=image_size, patch_size=patch_size, classes=classes, channels=channels)


class TextEncoder(nn.Module):
    """Embeddings of tokens and places through the blocks, where every token sees all others, as in BERT."""

    def __init__(self, config: EncoderConfig, *, vocabulary: int, longest: int) -> None:
        super().__init__()
        self.longest = longest
        self.tokens, self.places = nn.Embedding(vocabulary, config.dim), nn.Embedding(longest, config.dim)
        for table in (self.tokens, self.places):
            nn.init.normal_(table.weight, std=_SPREAD)
        self.norm, self.dropout = nn.LayerNorm(config.dim, eps=config.norm_eps), nn.Dropout(config.dropout)
        self.stack = _Stack(config)

    def forward(self, tokens: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Token ids [B, N] to states [B, N, dim]; ``attention_mask`` [B, N] is 0 where a row is only filled up.

        Raises ValueError for rows longer than the model's longest.
        """
        if tokens.shape[1] > self.longest:
            raise ValueError(f"rows have {tokens.shape[1]} tokens: this model takes at most {self.longest}")
        embedded = self.tokens(tokens) + self.places.weight[: tokens.shape[1]]
        padding = None if attention_mask is None else attention_mask == 0
        states: Tensor = self.stack(self.dropout(self.norm(embedded)), padding)
        return states
