"""Test vectors for circuits: every word is what the plain-integer reference says, and Verilog can read the file."""

import re

import numpy as np
import pytest

from paperworks.app.main import main
from paperworks.lmul import LMulConfig, reference
from paperworks.lmul.formats import FORMATS
from paperworks.lmul.vectors import NAMES, lines, vectors

WHOLE = LMulConfig(mantissa_bits=None)


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("config", [WHOLE, LMulConfig(mantissa_bits=2, variant="formula", rounding="nearest")])
def test_products_are_the_integer_references(name, config):
    fmt = FORMATS[NAMES[name]]
    settings = {"mantissa_bits": config.mantissa_bits, "variant": config.variant, "rounding": config.rounding}
    x, y, product = (words.tolist() for words in vectors(fmt, 400, config))
    step = 7 if fmt.bits == 8 else 1  # of all 65536 pairs of an 8-bit format, which have a test of their own
    for a, b, c in list(zip(x, y, product, strict=True))[::step]:
        assert c == reference.multiply(a, b, fmt, **settings), (hex(a), hex(b))


def test_eight_bits_have_every_pair_and_wider_formats_every_edge():
    x, y, _ = vectors(FORMATS["float8_e5m2"], 5, WHOLE)
    assert len({*zip(x.tolist(), y.tolist(), strict=True)}) == 65536
    fmt = FORMATS["float16"]
    x, y, product = vectors(fmt, 0, WHOLE)
    pairs = {*zip(x.tolist(), y.tolist(), strict=True)}
    one = fmt.bias << fmt.mantissa_bits
    for edge in (
        0,
        1,
        fmt.smallest_normal,
        one,
        fmt.largest,
        fmt.infinity,
        fmt.nan,
        fmt.sign_mask,
        one | fmt.sign_mask,
    ):
        assert {(edge, one), (one, edge), (edge, edge)} <= pairs
    assert {0, fmt.infinity, fmt.nan} <= set(product.tolist())


def test_half_of_the_random_products_are_finite_numbers():
    fmt = FORMATS["bfloat16"]
    _, _, product = vectors(fmt, 2000, WHOLE)
    magnitude = product[-2000:] & fmt.magnitude_mask
    normal = (magnitude >= fmt.smallest_normal) & (magnitude < fmt.infinity)
    assert normal[1::2].mean() > 0.95
    assert len(np.unique(product[-2000:])) > 1000


@pytest.mark.parametrize(("name", "digits", "word"), [("bf16", 4, "3f80"), ("fp32", 8, "3f800000"), ("e4m3", 2, "38")])
def test_the_file_is_what_readmemh_reads(name, digits, word):
    """Comments, then hexadecimal words of one width; 1.0 times 1.0 is among them."""
    text = list(lines(name, 10, WHOLE))
    assert [line[:2] for line in text[:3]] == ["//"] * 3
    words = text[3:]
    assert all(re.fullmatch(f"[0-9a-f]{{{3 * digits}}}", line) for line in words)
    assert f"// {len(words)} vectors of {12 * digits} bits" in text[2]
    assert any(line.startswith(word * 2) for line in words)


def test_the_same_seed_gives_the_same_file_and_another_gives_another():
    first, again, other = (list(lines("fp16", 50, WHOLE, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first[3:-50] == other[3:-50]
    assert first[-50:] != other[-50:]


def test_command_vectors(capsys, tmp_path):
    out = tmp_path / "vectors.hex"
    assert main(["lmul", "vectors", "--format", "e4m3", "--k", "3", "--out", str(out)]) == 0
    assert out.read_text().count("\n") == 65536 + 3
    assert "65536 vectors" in capsys.readouterr().out
    for wrong, message in (
        (["--format", "fp8"], "the formats are e4m3, e5m2, bf16, fp16, fp32; not 'fp8'"),
        (["--k", "9"], "mantissa_bits must be 1 to 7 for bfloat16, not 9"),
        (["--variant", "sum"], "unknown variant 'sum'"),
    ):
        assert main(["lmul", "vectors", *wrong, "--out", str(out)]) == 2
        assert message in capsys.readouterr().err
    assert main(["lmul", "vectors", "--out", str(out / "below")]) == 2
    assert "cannot be written" in capsys.readouterr().err
