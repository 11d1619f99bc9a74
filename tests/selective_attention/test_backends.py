"""Every backend against the reference, forward and backward, over lengths that are no multiple of a block."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from paperworks.core import MissingExtra
from paperworks.selective_attention import attention, reference
from paperworks.selective_attention.attention import attend
from paperworks.selective_attention.layout import Layout, causal, packed, padded

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
ON_GPU = ["triton", "flex"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """The shapes and settings of one comparison; ``kind`` says how the tokens lie."""

    queries: int
    keys: int | None = None
    batch: int = 2
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
            (self.batch, self.heads, self.queries, self.width),
            (self.batch, self.kv_heads, self.length, self.width),
            (self.batch, self.kv_heads, self.length, self.value_width or self.width),
        ]
        query, key, value = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
        wide = torch.promote_types(dtype, torch.float32)
        before = torch.rand(self.batch, self.length, generator=generator, dtype=wide) * (2.0 if self.before else 0.0)
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
    **{f"{n} tokens": Case(queries=n, batch=1) for n in (1, 2, 3, 17, 64, 65, 130)},
    "one shared key head": Case(queries=65, heads=4, kv_heads=1, selector=3, batch=1),
    "two groups": Case(queries=17, heads=6, kv_heads=2, selector=4, width=12),
    "padding": Case(queries=65, kind="padded"),
    "padding, a part": Case(queries=17, keys=40, kind="padded"),
    "packed": Case(queries=70, kind="packed"),
    "window": Case(queries=100, window=20, batch=1),
    "window of documents": Case(queries=65, kind="packed", window=7, protect=2),
    "soft cap": Case(queries=65, softcap=1.5, batch=1),
    "penalties from before": Case(queries=17, keys=130, before=True),
    "next token": Case(queries=1, keys=66, before=True, kind="padded", heads=4, kv_heads=2),
    "nobody protected": Case(queries=17, protect=0),
    "more protected than a block holds": Case(queries=70, protect=66, batch=1),
    "wide values, three heads": Case(queries=17, heads=3, kv_heads=3, value_width=20),
}


def gradients(outputs: tuple[Tensor, Tensor], inputs: list[Tensor]) -> tuple[Tensor, ...]:
    """Of a random combination of the outputs, always the same."""
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(output.shape, generator=generator, dtype=torch.float64) for output in outputs]
    total = sum((output.double() * weight).sum() for output, weight in zip(outputs, weights, strict=True))
    return torch.autograd.grad(total, inputs)


def run(backend, case, inputs):
    """Output and F_next where the backend lives, brought back."""
    device = DEVICE if backend in ON_GPU else "cpu"
    query, key, value, before = (tensor.to(device) for tensor in inputs)
    layout = case.layout()
    if device != "cpu":
        layout = on(layout, device)
    output, after = attend(query, key, value, layout, before=before, backend=backend, **case.settings())
    return output.to("cpu"), after.to("cpu")


def on(layout, device):
    moved = {name: getattr(layout, name) for name in ("query_pos", "key_pos", "query_doc", "key_doc")}
    moved = {name: None if tensor is None else tensor.to(device) for name, tensor in moved.items()}
    return type(layout)(**moved, protect=layout.protect, window=layout.window)


def largest(differences):
    return max(float(difference.abs().max()) for difference in differences)


@pytest.mark.parametrize("name", CASES)
def test_block_equals_the_reference_in_float64(name):
    case = CASES[name]
    inputs = case.inputs(loud=3.0)
    ours, wanted = run("block", case, inputs), case.expected(inputs)
    assert largest(a - b for a, b in zip(ours, wanted, strict=True)) < 1e-12
    pairs = zip(gradients(ours, inputs), gradients(wanted, inputs), strict=True)
    assert largest(a - b for a, b in pairs) < 1e-11


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("backend", ["eager", "block"])
def test_float32_is_as_near_to_the_reference_as_its_rounding(backend, name):
    of_outputs, of_gradients = errors_in_float32(backend, CASES[name])
    assert of_outputs < 2e-6
    assert of_gradients < 5e-6


def errors_in_float32(backend, case):
    """The largest error of the outputs and of the gradients, as a share of the largest value, or of 1."""
    inputs = case.inputs(torch.float32, loud=3.0)
    exact = [tensor.detach().double().requires_grad_() for tensor in inputs]
    ours, wanted = run(backend, case, inputs), case.expected(exact)
    compared = (ours, wanted), (gradients(ours, inputs), gradients(wanted, exact))
    return [largest((a - b) / b.abs().max().clamp(min=1) for a, b in zip(*pair, strict=True)) for pair in compared]


@pytest.mark.parametrize("block", [1, 7, 64, 256])
def test_the_size_of_a_block_does_not_matter(block, monkeypatch):
    monkeypatch.setattr(attention, "BLOCK", block)
    case = CASES["packed"]
    inputs = case.inputs(loud=3.0)
    ours, wanted = run("block", case, inputs), case.expected(inputs)
    pairs = zip(gradients(ours, inputs), gradients(wanted, inputs), strict=True)
    assert largest(a - b for a, b in pairs) < 1e-11


@pytest.mark.parametrize("name", CASES)
def test_triton_equals_the_reference(name):
    of_outputs, of_gradients = errors_in_float32("triton", CASES[name])
    assert of_outputs < 2e-6
    assert of_gradients < 5e-6


@pytest.mark.parametrize("name", CASES)
def test_flex_equals_the_reference(name):
    case = CASES[name]
    dtype = torch.float64 if DEVICE == "cpu" else torch.float32
    with torch.no_grad():
        inputs = case.inputs(dtype, loud=3.0)
        ours, wanted = run("flex", case, inputs), case.expected(inputs)
    assert largest((a - b) / b.abs().max().clamp(min=1) for a, b in zip(ours, wanted, strict=True)) < 1e-5


@pytest.mark.gpu
@pytest.mark.parametrize("queries", [130, 256])
def test_gradients_reach_the_votes_through_flex(queries):
    case = Case(queries=queries, width=16)
    inputs = case.inputs(torch.float32)
    ours, wanted = run("flex", case, inputs), case.expected(inputs)
    pairs = zip(gradients(ours, inputs), gradients(wanted, inputs), strict=True)
    assert largest((a - b) / b.abs().max().clamp(min=1) for a, b in pairs) < 1e-4


@pytest.mark.parametrize("backend", ["block", "triton", "flex"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_costs_no_more_than_twice_what_it_costs_plain_attention(backend, dtype):
    case = Case(queries=70, heads=4, kv_heads=2, width=16)
    with torch.no_grad():
        inputs = case.inputs(dtype, loud=2.0)
        exact = [tensor.double() for tensor in inputs]
        output, after = run(backend, case, inputs)
        wanted, wanted_after = case.expected(exact)
        plain = scaled_dot_product_attention(*inputs[:3], is_causal=True, enable_gqa=True)
        plain_wanted = scaled_dot_product_attention(*exact[:3], is_causal=True, enable_gqa=True)
    assert output.dtype == dtype
    assert after.dtype == torch.float32
    rounds_more = {"triton": torch.bfloat16, "flex": torch.float16}  # Triton's interpreter; logits of uncompiled flex
    allowed = 4 if DEVICE == "cpu" and rounds_more.get(backend) == dtype else 2
    assert largest([output - wanted]) <= allowed * largest([plain - plain_wanted])
    assert torch.allclose(after.double(), wanted_after, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("backend", ["eager", "block", "triton"])
@pytest.mark.parametrize("name", ["65 tokens", "one shared key head", "padding", "packed"])
def test_half_precision_gradients(backend, name):
    case = CASES[name]
    inputs = case.inputs(torch.bfloat16)
    exact = [tensor.detach().double().requires_grad_() for tensor in inputs]
    ours, wanted = run(backend, case, inputs), case.expected(exact)
    assert largest((a.double() - b) / b.abs().max() for a, b in zip(ours, wanted, strict=True)) < 2**-7
    found, right = gradients(ours, inputs), gradients(wanted, exact)
    assert [grad.dtype for grad in found] == [torch.bfloat16] * 3 + [torch.float32]
    assert largest((a - b) / b.abs().max() for a, b in zip(found, right, strict=True)) < 2**-6


@pytest.mark.parametrize("backend", ["eager", "block", "triton", "flex"])
def test_tensors_need_not_be_contiguous(backend):
    case = Case(queries=40, width=16)
    with torch.no_grad():
        inputs = case.inputs(torch.float32)
        spread = [tensor.transpose(1, 2).contiguous().transpose(1, 2) for tensor in inputs[:2]]
        spread.append(inputs[2].repeat_interleave(2, -1)[..., ::2])
        assert not any(tensor.is_contiguous() for tensor in spread)
        wanted, _ = run(backend, case, inputs)
        output, _ = run(backend, case, [*spread, inputs[3]])
    assert torch.allclose(output, wanted, atol=1e-6)


def test_auto_takes_block_on_a_cpu_and_eager_where_weights_are_dropped(monkeypatch):
    taken = []
    for name in attention.BACKENDS:
        monkeypatch.setitem(
            attention.BACKENDS, name, lambda *args, name=name, **more: taken.append(name) or (None, None)
        )
    query = torch.zeros(1, 1, 3, 4)
    attend(query, query, query, Case(queries=3).layout(), scale=1.0)
    attend(query, query, query, Case(queries=3).layout(), scale=1.0, dropout_p=0.1)
    attend(query, query, query, Case(queries=3).layout(), scale=1.0, alive=torch.ones(1, 3, 3, dtype=torch.bool))
    assert taken == ["block", "eager", "eager"]


def test_without_triton_the_message_names_the_extra(monkeypatch):
    monkeypatch.setattr(attention, "_has_triton", lambda: False)
    query = torch.zeros(1, 1, 3, 4)
    with pytest.raises(MissingExtra, match=r"backend 'triton' needs triton: pip install 'paperworks\[gpu\]'"):
        attend(query, query, query, Case(queries=3).layout(), scale=1.0, backend="triton")


def test_the_cpu_needs_neither_triton_nor_the_interpreter():
    code = """
import sys
sys.modules["triton"] = None
import torch
from paperworks import selective_attention as sa
x = torch.ones(1, 2, 3, 4)
assert sa.selective_attention(x, x, x).tolist() == x.tolist()
try:
    sa.selective_attention(x, x, x, backend="triton")
except ValueError as error:
    assert "computes on a GPU, not on cpu: use backend='block'" in str(error), error
else:
    raise SystemExit("the triton backend ran on a CPU")
"""
    environment = {"PATH": "", "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.run([sys.executable, "-c", code], env=environment, timeout=50, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
