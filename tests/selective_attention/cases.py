"""What the backends are held to: inputs of many kinds, by name, and their literal results."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paperworks.selective_attention import reference
from paperworks.selective_attention.layout import Layout, causal, packed, padded


@dataclass(frozen=True, kw_only=True)
class Case:
    """The shapes and settings of one comparison; ``kind`` says how the tokens lie."""

    queries: int
    keys: int | None = None
    heads: int = 2
    kv_heads: int = 2
    width: int = 8
    value_width: int | None = None
    kind: str = "causal"
    protect: int = 1
    window: int | None = None
    softcap: float | None = None
    selector: int = 0
    before: bool = False

    @property
    def length(self) -> int:
        return self.keys or self.queries

    def layout(self) -> Layout:
        more = {"protect": self.protect, "window": self.window}
        if self.kind == "causal":
            return causal(self.queries, self.length, **more)
        if self.kind == "padded":
            count = torch.tensor([[self.length - self.length // 3], [self.length]])
            return padded(torch.arange(self.length) >= self.length - count, self.queries, **more)
        assert self.kind == "packed"
        ends = torch.tensor([[self.length // 4, self.length // 2], [1, self.length - 1]])
        documents = (torch.arange(self.length)[None, :, None] >= ends[:, None]).sum(-1)
        return packed(documents, self.queries, **more)

    def inputs(self, dtype: torch.dtype = torch.float64, *, loud: float = 1.0) -> list[Tensor]:
        """query, key, value and ``before``; ``loud`` scales the queries, and with them the votes."""
        generator = torch.Generator().manual_seed(self.length)
        shapes = [
            (2, self.heads, self.queries, self.width),
            (2, self.kv_heads, self.length, self.width),
            (2, self.kv_heads, self.length, self.value_width or self.width),
        ]
        query, key, value = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
        wide = torch.promote_types(dtype, torch.float32)
        before = torch.rand(2, self.length, generator=generator, dtype=wide) * (2.0 if self.before else 0.0)
        tensors = [*(tensor.to(dtype) for tensor in (query * loud, key, value)), before]
        return [tensor.requires_grad_() for tensor in tensors]

    def settings(self) -> dict[str, object]:
        return {"scale": self.width**-0.5, "selector_head": self.selector, "softcap": self.softcap}

    def expected(self, inputs: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The reference's output and F_next."""
        query, key, value, before = inputs
        output, _, after = reference.attention(query, key, value, self.layout(), before=before, **self.settings())
        return output, after


CASES = {
    **{f"{n} tokens": Case(queries=n) for n in (1, 2, 3, 17, 64, 65, 130)},
    "one shared key head": Case(queries=65, heads=4, kv_heads=1, selector=3),
    "two groups": Case(queries=17, heads=6, kv_heads=2, selector=4, width=12),
    "padding": Case(queries=65, kind="padded"),
    "padding, a part": Case(queries=17, keys=40, kind="padded"),
    "packed": Case(queries=130, kind="packed"),
    "window": Case(queries=130, window=20),
    "window of documents": Case(queries=65, kind="packed", window=7, protect=2),
    "soft cap": Case(queries=65, softcap=1.5),
    "penalties from before": Case(queries=17, keys=130, before=True),
    "next token": Case(queries=1, keys=66, before=True, kind="padded", heads=4, kv_heads=2),
    "nobody protected": Case(queries=17, protect=0),
    "wide values, three heads": Case(queries=17, heads=3, kv_heads=3, value_width=20),
}


def gradients(outputs: tuple[Tensor, Tensor], inputs: list[Tensor]) -> tuple[Tensor, ...]:
    """Of a random combination of the outputs, always the same."""
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(output.shape, generator=generator, dtype=torch.float64) for output in outputs]
    total = sum((output.double() * weight).sum() for output, weight in zip(outputs, weights, strict=True))
    return torch.autograd.grad(total, inputs)
