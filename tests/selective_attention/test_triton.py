"""The Triton kernels: which tiles they leave out, what they keep, that torch.compile and a GPU's compiler take them.

Interpreted where there is no GPU.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from paperworks.selective_attention import reference, triton_backend
from paperworks.selective_attention.attention import attend
from paperworks.selective_attention.layout import causal, packed

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


def operate(query, key, value, before, *, documents=None, window=None):
    """The operator's four results for one selector head, scale 1/2 and no soft cap."""
    queries, keys = query.shape[2], key.shape[2]
    documents = torch.zeros(1, keys, dtype=torch.int64) if documents is None else documents
    layout = packed(documents, queries)
    places = [layout.query_pos, layout.key_pos, layout.query_doc, layout.key_doc]
    places = [place.to(DEVICE, torch.int32).expand(query.shape[0], -1).contiguous() for place in places]
    return triton_backend.forward(query, key, value, before, *places, 0, 1, window or keys + 1, 0.5, 0.0)


def tiles(live):
    """Live tiles of the first row and heads as a table."""
    return live[0, 0].tolist()


def test_tiles_that_earlier_votes_silenced_are_left_out():
    query, key = normal(1, 2, 70, 4), normal(1, 2, 192, 4, seed=1)
    before = torch.zeros(1, 192, device=DEVICE)
    before[:, 1:96] = 1000.0  # the first token is never voted on, so its tile stays
    output, _, _, live = operate(query, key, key, before)
    assert tiles(live) == [[1, 0, 0, 1, 1, 1], [1, 0, 0, 1, 1, 1]]
    wanted, _, _ = reference.attention(query, key, key, causal(70, 192, device=DEVICE), scale=0.5, before=before)
    assert torch.allclose(output, wanted, atol=2e-6)


def test_a_tile_that_may_still_matter_to_one_head_of_a_group_stays():
    query, key = normal(1, 2, 64, 4), normal(1, 2, 128, 4, seed=1)
    before = torch.zeros(1, 128, device=DEVICE)
    before[:, 1:64] = 60.0
    quiet = operate(query, key, key, before)[3]
    assert tiles(quiet) == [[1, 0, 1, 1]]
    query[:, 1] *= 30.0
    assert tiles(operate(query, key, key, before)[3]) == [[1, 1, 1, 1]]


def test_tiles_of_other_documents_and_behind_the_window_are_left_out():
    query = normal(1, 2, 128, 4)
    before = torch.zeros(1, 128, device=DEVICE)
    documents = (torch.arange(128) // 64)[None]
    assert tiles(operate(query, query, query, before, documents=documents)[3]) == [[1, 1, 0, 0], [0, 0, 1, 1]]
    assert tiles(operate(query, query, query, before, window=10)[3]) == [[1, 1, 0, 0], [0, 1, 1, 1]]


@pytest.mark.parametrize("loud", [4.0, 30.0])
def test_what_is_left_out_has_no_weight_and_its_votes_still_learn(loud):
    """Votes against a key that is out of earshot can matter to a later query that is louder: gradients stay whole."""
    query, key, value = normal(1, 2, 200, 4) * loud, normal(1, 2, 200, 4, seed=1), normal(1, 2, 200, 4, seed=2)
    query[:, :, :128] *= 3.0
    inputs = [x.requires_grad_() for x in (query, key, value)]
    layout, how = causal(200, 200, device=DEVICE), {"scale": 0.5}
    _, _, _, live = operate(*(x.detach() for x in inputs), torch.zeros(1, 200, device=DEVICE))
    _, penalty, _ = reference.attention(*(x.double() for x in inputs), layout, **how)
    scores = (query.double() @ key.double().mT * 0.5 - penalty[:, None]).masked_fill(~layout.visible(), -torch.inf)
    weights = torch.nn.functional.pad(torch.softmax(scores, -1), (0, 24, 0, 56)).reshape(2, 4, 64, 7, 32)
    causal_tiles = torch.tensor([[column * 32 < row * 64 + 64 for column in range(7)] for row in range(4)]).to(DEVICE)
    dead = causal_tiles & (live[0, 0] == 0)
    assert dead.any()
    assert weights.amax((0, 2, 4))[dead].max() < 1e-12
    ours = torch.autograd.grad(attend(*inputs, layout, backend="triton", **how)[0].square().sum(), inputs)
    wanted = torch.autograd.grad(attend(*inputs, layout, backend="block", **how)[0].square().sum(), inputs)
    assert all(
        torch.allclose(a, b, rtol=1e-3, atol=1e-5 * float(b.abs().max())) for a, b in zip(ours, wanted, strict=True)
    )


@pytest.mark.parametrize("backend", ["block", "triton"])
def test_what_is_kept_for_the_gradient_is_a_row_a_block(backend):
    kept = {}
    query = normal(1, 4, 256, 4).requires_grad_()

    def pack(tensor):
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        attend(query, query, query, causal(256, 256, device=DEVICE), scale=0.5, backend=backend)
    rows = 256 // 64 + 1
    assert sum(kept.values()) < 4 * query.numel() + 3 * rows * 256
    assert 4 * query.numel() + 3 * rows * 256 < 256 * 256


def test_it_passes_through_torch_compile_whole():
    query, key = normal(2, 4, 33, 8).requires_grad_(), normal(2, 2, 33, 8, seed=1).requires_grad_()

    def attention(query, key):
        layout = causal(33, 33, device=DEVICE, window=9)
        return attend(query, key, key, layout, scale=0.3, selector_head=2, softcap=2.0, backend="triton")

    compiled = torch.compile(attention, fullgraph=True, backend="aot_eager")
    ours, plain = compiled(query, key), attention(query, key)
    assert all(torch.allclose(a, b) for a, b in zip(ours, plain, strict=True))
    pairs = [torch.autograd.grad(sum(x.square().sum() for x in each), [query, key]) for each in (ours, plain)]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*pairs, strict=True))


def test_the_operators_keep_torchs_rules():
    query, before = normal(1, 2, 5, 4).requires_grad_(), torch.zeros(1, 5, device=DEVICE)
    numbers = torch.arange(5, dtype=torch.int32, device=DEVICE)[None]
    settings = (numbers, numbers, numbers * 0, numbers * 0, 0, 1, 6, 0.5, 0.0)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(triton_backend.forward, (query, query, query, before, *settings), test_utils=tests)
    query = query.detach()
    results = triton_backend.forward(query, query, query, before, *settings)
    arguments = (query, query, query, *settings, *results, query, before)
    torch.library.opcheck(triton_backend.backward, arguments, test_utils=("test_schema", "test_faketensor"))


COMPILE = """
import torch, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from paperworks.selective_attention import triton_backend, triton_gradients, triton_kernels

x = torch.empty(1, 4, 128, 16, dtype=torch.bfloat16)
problem = triton_backend._problem(x, x[:, :2], x[:, :2], 0, 1, 129, 0.25, 1.0)
pointers = dict.fromkeys(("query", "key", "value", "grad", "output"), "*bf16") | {"live": "*i8"}
pointers |= dict.fromkeys(("query_pos", "key_pos", "query_doc", "key_doc", "tiles", "counts"), "*i32")
for kernel in (
    triton_kernels.column_sums, triton_kernels.live_tiles, triton_kernels.attend,
    triton_gradients.of_keys, triton_gradients.of_queries,
):
    kinds = {bool: "constexpr", int: "i32", float: "fp32"}
    known = {name: "constexpr" if name.isupper() else kinds[type(value)] for name, value in problem.numbers.items()}
    signature = {name: known.get(name) or pointers.get(name, "*fp32") for name in kernel.arg_names}
    fixed = {name: problem.numbers[name] for name, kind in signature.items() if kind == "constexpr"}
    source = ASTSource(fn=kernel, signature=signature, constexprs=fixed)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": problem.launch.warps})
    print(kernel.__name__, len(compiled.asm["cubin"]) > 0)
"""


def test_an_h100_can_be_compiled_for_without_one(tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", COMPILE], env=environment, timeout=58, capture_output=True, text=True)
    names = ("column_sums", "live_tiles", "attend", "of_keys", "of_queries")
    assert done.stdout.splitlines() == [f"{name} True" for name in names], done.stderr
