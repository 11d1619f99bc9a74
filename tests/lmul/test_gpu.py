"""The Triton kernels, on a GPU where there is one and else interpreted; and what happens without triton."""

import os
import subprocess
import sys

import pytest
import torch

from paperworks import lmul
from paperworks.core import MissingExtra
from paperworks.lmul import backends, table

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 70, 5), (2, 5, 66, 70), (2, 0, 3, 4)])
@pytest.mark.parametrize("k", [1, 4, 23])
def test_the_adder_kernel_agrees_with_the_reference(shape, k, agree):
    *batch, rows, terms, columns = shape if len(shape) == 4 else (1, *shape)
    a, b = normal(*batch, rows, terms), normal(*batch, terms, columns, seed=1)
    assert agree(a, b, lmul.matmul(a, b, mantissa_bits=k, backend="triton"), mantissa_bits=k)


def test_the_adder_kernel_at_the_ends_of_the_range():
    x = torch.tensor([1e38, -1e38, 1e-38, -1e-38, 0.0, -0.0, 1e-40, 3.4e38, 1.5, -2.0, 1.2e-38], device=DEVICE)
    product = lmul.matmul(x[:, None], x[None, :], backend="triton")
    assert torch.equal(product, lmul.mul(x[:, None], x[None, :]))


def test_infinite_operands_and_half_types():
    a, b = normal(4, 6), normal(6, 5, seed=1)
    a[1, 2], b[3, 4], b[2, 0] = float("inf"), float("nan"), 0.0
    plain = lmul.matmul(a, b, backend="elementwise")
    for backend in ("triton", "fp8"):
        settings = {"mantissa_bits": 3} if backend == "fp8" else {}
        plain = lmul.matmul(a, b, backend="elementwise", **settings)
        result = lmul.matmul(a, b, backend=backend, **settings)
        assert torch.allclose(result, plain, rtol=1e-5, atol=1e-6, equal_nan=True)
    half = lmul.matmul(normal(4, 6).half(), normal(6, 5, seed=1).half(), backend="triton")
    assert half.dtype == torch.float16


@pytest.mark.parametrize("k", [1, 2, 3])
def test_float8_tensor_cores_are_exact_where_the_range_allows(k, agree, monkeypatch):
    monkeypatch.setattr(table, "multiply", None)  # the way out would fail
    a, b = normal(2, 30, 20), normal(2, 20, 33, seed=1)
    a[0, 3], b[1, :, 2] = 0.0, 0.0
    b = b.sign() * b.abs().clamp(2.0**-9, 3.0)
    a[:, 1], b[:, :, 1] = a[:, 1] * 2.0**40, b[:, :, 1] * 2.0**-50  # rows and columns have scales of their own
    assert agree(a, b, lmul.matmul(a, b, mantissa_bits=k, backend="fp8"), mantissa_bits=k)


@pytest.mark.parametrize("operand", ["left", "right"])
def test_numbers_out_of_float8s_range_take_the_way_out(operand, agree):
    a, b = normal(3, 8), normal(8, 4, seed=1)
    if operand == "left":
        a[0, 0] = 2.0**-40
    else:
        b[0, 0] = 1.125 * 2.0**-20
    assert agree(a, b, lmul.matmul(a, b, mantissa_bits=3, backend="fp8"), mantissa_bits=3)


def test_what_they_cannot_do():
    x = normal(2, 2)
    with pytest.raises(ValueError, match="backend 'fp8' cannot do variant 'carry' with 4 mantissa bits"):
        lmul.matmul(x, x, mantissa_bits=4, backend="fp8")
    with pytest.raises(ValueError, match="backend 'triton' cannot do"):
        lmul.matmul(x.double(), x.double(), backend="triton")


def test_without_triton_the_message_names_the_extra(monkeypatch):
    monkeypatch.setattr(backends, "_installed", lambda package: False)
    x = normal(2, 2)
    with pytest.raises(MissingExtra, match=r"lmul's backend 'triton' needs triton: pip install 'paperworks\[gpu\]'"):
        lmul.matmul(x, x, backend="triton")
    assert torch.equal(lmul.matmul(x, x), lmul.matmul(x, x))


def test_the_cpu_needs_neither_triton_nor_the_interpreter():
    code = """
import sys
sys.modules["triton"] = None
import torch
from paperworks import lmul
x = torch.ones(2, 2)
assert lmul.matmul(x, x, mantissa_bits=3).tolist() == [[2.25, 2.25], [2.25, 2.25]]
try:
    lmul.matmul(x, x, backend="triton")
except ValueError as error:
    assert "choose auto, integer" in str(error), error
else:
    raise SystemExit("the triton backend ran on a CPU")
"""
    environment = {"PATH": "", "OMP_NUM_THREADS": "1"}
    child = subprocess.run([sys.executable, "-c", code], env=environment, timeout=50, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr


COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from paperworks.lmul import triton_kernels

sizes = {"ROWS": 64, "COLUMNS": 64}
kernels = (
    (triton_kernels._adder, {"left": "*i32", "right": "*i32", "offset": "i32"}, sizes),
    (triton_kernels._one_hot, {"words": "*i32", "spread": "*fp8e4nv"}, sizes | {"DEPTH": 32, "BITS": 3}),
)
for kernel, kinds, fixed in kernels:
    kinds |= {"out": "*fp32", "rows": "i32", "columns": "i32", "terms": "i32"} | dict.fromkeys(fixed, "constexpr")
    source = ASTSource(fn=kernel, signature={name: kinds[name] for name in kernel.arg_names}, constexprs=fixed)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32))
    print(kernel.__name__, len(compiled.asm["cubin"]) > 0)
"""


def test_an_h100_can_be_compiled_for_without_one(tmp_path):
    """The interpreter takes Python that the compiler refuses."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", COMPILE], env=environment, timeout=58, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["_adder True", "_one_hot True"], done.stderr
