"""Which tokens of a vocabulary mark prefix, suffix, middle and the end of an infill, and in which orders they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["FIM_SCHEMES", "FIMScheme", "Mode", "Sentinels"]

Mode = Literal["psm", "spm", "spmv2"]
"""psm: prefix, suffix, middle. spm: suffix, prefix, middle. spmv2: the suffix first, prefix and middle as one text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinels:
    """The sentinels of a family of models as their tokenizers spell them.

    ``middle=None``: the prefix is continued without a mark. ``stops``: what else ends a generation. ``bos``: whether
    a sequence begins with the tokenizer's own beginning-of-sequence token.
    """

    prefix: str
    suffix: str
    middle: str | None
    end: str
    modes: tuple[Mode, ...]
    bos: bool = False
    stops: tuple[str, ...] = ()


_DEEPSEEK_END = "<\uff5cend\u2581of\u2581sentence\uff5c>"

FIM_SCHEMES: Mapping[str, Sentinels] = {
    "starcoder2": Sentinels(
        prefix="<fim_prefix>",
        suffix="<fim_suffix>",
        middle="<fim_middle>",
        end="<|endoftext|>",
        modes=("psm", "spmv2"),
        stops=("<file_sep>", "<repo_name>", "<fim_pad>"),
    ),
    "santacoder": Sentinels(
        prefix="<fim-prefix>",
        suffix="<fim-suffix>",
        middle="<fim-middle>",
        end="<|endoftext|>",
        modes=("psm", "spm", "spmv2"),
        stops=("<fim-pad>",),
    ),
    "deepseek-coder": Sentinels(
        prefix="<\uff5cfim\u2581begin\uff5c>",
        suffix="<\uff5cfim\u2581hole\uff5c>",
        middle="<\uff5cfim\u2581end\uff5c>",
        end=_DEEPSEEK_END,
        modes=("psm",),
        bos=True,
    ),
    "qwen2.5-coder": Sentinels(
        prefix="<|fim_prefix|>",
        suffix="<|fim_suffix|>",
        middle="<|fim_middle|>",
        end="<|endoftext|>",
        modes=("psm",),
        stops=("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"),
    ),
    "codellama": Sentinels(
        prefix="\u2581<PRE>",
        suffix="\u2581<SUF>",
        middle="\u2581<MID>",
        end="\u2581<EOT>",
        modes=("psm", "spmv2"),
        bos=True,
        stops=("</s>",),
    ),
    "codestral": Sentinels(
        prefix="[PREFIX]", suffix="[SUFFIX]", middle=None, end="</s>", modes=("spm",), bos=True, stops=("[MIDDLE]",)
    ),
}
"""By name. StarCoder's first generation is spelled as its second; ids are looked up, as conversions differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FIMScheme:
    """The ids of a tokenizer's sentinels: what a sequence is laid out with.

    ``stops`` are all ids that end an infill, ``end`` among them.
    """

    name: str
    prefix: int
    suffix: int
    middle: int | None
    end: int
    bos: int | None
    modes: tuple[Mode, ...]
    stops: tuple[int, ...]

    @classmethod
    def from_tokenizer(cls, tokenizer: Any, scheme: str | Sentinels = "auto") -> FIMScheme:
        """The scheme of a transformers tokenizer, found by its sentinels, or the one asked for.

        Raises ValueError where the scheme is unknown, or a sentinel is not one token of the vocabulary.
        """
        vocabulary = tokenizer.get_vocab()
        if isinstance(scheme, Sentinels):
            return _looked_up("custom", scheme, vocabulary, tokenizer)
        if scheme != "auto":
            if scheme not in FIM_SCHEMES:
                raise ValueError(f"there is no scheme {scheme!r}; choose from auto, {', '.join(FIM_SCHEMES)}")
            return _looked_up(scheme, FIM_SCHEMES[scheme], vocabulary, tokenizer)
        for name, sentinels in FIM_SCHEMES.items():
            if not _missing(sentinels, vocabulary):
                return _looked_up(name, sentinels, vocabulary, tokenizer)
        raise ValueError(
            "the tokenizer has the sentinels of no known scheme; add some to it, and give them as Sentinels(...)"
        )

    def require(self, mode: str) -> None:
        """Raises ValueError where models of this scheme do not know that order."""
        if mode not in self.modes:
            raise ValueError(f"{self.name} knows {', '.join(self.modes)}; {mode!r} is none of them")

    @property
    def overhead(self) -> int:
        """Tokens that a sequence has beside those of the document."""
        return 3 + (self.middle is not None) + (self.bos is not None)


def _missing(sentinels: Sentinels, vocabulary: Mapping[str, int]) -> list[str]:
    needed = (sentinels.prefix, sentinels.suffix, sentinels.middle, sentinels.end)
    return [token for token in needed if token is not None and token not in vocabulary]


def _looked_up(name: str, sentinels: Sentinels, vocabulary: Mapping[str, int], tokenizer: Any) -> FIMScheme:
    if missing := _missing(sentinels, vocabulary):
        raise ValueError(f"scheme {name}: {', '.join(missing)} must each be one token, and the tokenizer has none such")
    if sentinels.bos and tokenizer.bos_token_id is None:
        raise ValueError(f"scheme {name} begins with a bos token, and the tokenizer has none: set tokenizer.bos_token")
    spelled = (sentinels.end, sentinels.prefix, sentinels.suffix, sentinels.middle, *sentinels.stops)
    return FIMScheme(
        name=name,
        prefix=vocabulary[sentinels.prefix],
        suffix=vocabulary[sentinels.suffix],
        middle=None if sentinels.middle is None else vocabulary[sentinels.middle],
        end=vocabulary[sentinels.end],
        bos=tokenizer.bos_token_id if sentinels.bos else None,
        modes=sentinels.modes,
        stops=tuple(vocabulary[token] for token in spelled if token is not None and token in vocabulary),
    )
