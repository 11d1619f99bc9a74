"""What "Addition is All You Need for Energy-efficient Language Models" claims, and how each claim is judged."""

from paperworks.core import Claim, Paper, Published, at_least, at_most, between

_ABOUT_EQUAL = between(1 / 1.25, 1.25)

_RMS_RATIO = (
    "geometric mean, over uniform, Benford and real operands, of the ratio of root-mean-square relative errors of one "
    "product: {lmul} over {fp8}; mantissas only, exponent range not limited"
)
_ADDER = "L-Mul as the integer adder computes it (carry into the exponent), operands truncated to {k} mantissa bits"
_FORMULA = "L-Mul as its equation is printed (no carry), operands truncated to {k} mantissa bits"
_E4M3 = "ordinary multiplication of operands rounded to the 3 mantissa bits of float8 e4m3"
_E5M2 = "ordinary multiplication of operands rounded to the 2 mantissa bits of float8 e5m2"
_OPERANDS = "single products; real operands are weights and activations of networks trained on handwritten digits"

PAPER = Paper(
    slug="lmul",
    arxiv="2410.00907",
    title="Addition is All You Need for Energy-efficient Language Models",
    authors=("Hongyin Luo", "Wei Sun"),
    field="efficient arithmetic",
    gist=(
        "Replaces the floating-point multiplier by one integer addition of the two bit patterns: "
        "simulate any model under it, bit for bit, and see what the model loses."
    ),
    claims=(
        Claim(
            id="C1",
            says="L-Mul with 4-bit mantissas is about as precise as float8 e4m3 multiplication.",
            metric=_RMS_RATIO.format(lmul=_ADDER.format(k=4), fp8=_E4M3),
            setting=_OPERANDS,
            source="Section 2, Figure 3",
            published=(Published(value=None, label="expected error", note='"comparable precision"'),),
            judge=_ABOUT_EQUAL,
        ),
        Claim(
            id="C1-formula",
            says="L-Mul with 4-bit mantissas is about as precise as float8 e4m3, by the equation as printed.",
            metric=_RMS_RATIO.format(lmul=_FORMULA.format(k=4), fp8=_E4M3),
            setting=_OPERANDS,
            source="Section 2, equation of L-Mul",
            published=(Published(value=None, label="expected error", note='"comparable precision"'),),
            judge=_ABOUT_EQUAL,
        ),
        Claim(
            id="C2",
            says="L-Mul with 3-bit mantissas is more precise than float8 e5m2 multiplication.",
            metric=_RMS_RATIO.format(lmul=_ADDER.format(k=3), fp8=_E5M2),
            setting=_OPERANDS,
            source="Section 2, Figure 3",
            published=(Published(value=None, label="expected error", note='"outperforms float8 e5m2"'),),
            judge=at_most(1, null=1),
        ),
        Claim(
            id="C2-formula",
            says="L-Mul with 3-bit mantissas is more precise than float8 e5m2, by the equation as printed.",
            metric=_RMS_RATIO.format(lmul=_FORMULA.format(k=3), fp8=_E5M2),
            setting=_OPERANDS,
            source="Section 2, equation of L-Mul",
            published=(Published(value=None, label="expected error", note='"outperforms float8 e5m2"'),),
            judge=at_most(1, null=1),
        ),
        Claim(
            id="C3",
            says="L-Mul saves 95 % of the energy of elementwise floating-point products.",
            metric=(
                "smaller of the savings for float32 and float16, in percent of the multiplications' energy at 45 nm; "
                "arithmetic only, no memory traffic"
            ),
            setting="per-operation energies of Horowitz (2014)",
            source="Section 2, Table 1",
            published=(Published(value=95.0, label="elementwise products", unit="%"),),
            judge=at_least(95, null=0),
        ),
        Claim(
            id="C3-dot",
            says="L-Mul saves 80 % of the energy of dot products.",
            metric=(
                "smaller of the savings for float32 and float16, in percent of the energy of multiplications and "
                "accumulations at 45 nm; arithmetic only, no memory traffic"
            ),
            setting="per-operation energies of Horowitz (2014)",
            source="Section 2, Table 1",
            published=(Published(value=80.0, label="dot products", unit="%"),),
            judge=at_least(80, null=0),
        ),
        Claim(
            id="C3-gates",
            says="An 8-bit L-Mul needs 157 gate-level operations where a float8 e4m3 multiplier needs 325.",
            metric="gate-level operations of the 8-bit L-Mul over those of the e4m3 multiplier",
            setting="combinational logic of one product",
            source="Section 2",
            published=(
                Published(value=325, label="float8 e4m3 multiplier", unit="operations"),
                Published(value=157, label="L-Mul, 8 bits", unit="operations"),
            ),
            untestable=(
                "the counts depend on a netlist and a way of counting that the paper does not print, and no logic "
                "synthesis is part of this package"
            ),
        ),
        Claim(
            id="C4",
            says="With L-Mul in attention, a language model loses next to nothing on text tasks.",
            metric=(
                "top-1 accuracy that is lost with 4-bit L-Mul (carry, truncation) in both products of attention, in "
                "percent of the accuracy without it, paired over the same tokens"
            ),
            setting="next-token prediction",
            source="Section 3, text tasks",
            published=(
                Published(
                    value=0.07,
                    label="mean loss over BBH, MMLU and commonsense tasks",
                    unit="%",
                    note="Llama-3.1-8B-Instruct, Mistral-7B-Instruct-v0.3 and Gemma2-2b-it",
                ),
            ),
            judge=at_most(0.07),
        ),
        Claim(
            id="C4b",
            says="With L-Mul in attention, few-shot GSM8k accuracy stays at the level of bfloat16.",
            metric="mean GSM8k accuracy with L-Mul minus that with bfloat16, in points",
            setting="Mistral-7B, Llama-3.1-8B and Gemma2-2b, attention only",
            source="Section 3",
            published=(
                Published(
                    value=None,
                    label="GSM8k accuracy",
                    note="three models, four formats; no cell of the table could be checked against a public source",
                ),
            ),
            untestable="the paper's figures could not be verified, so there is no threshold to judge by",
        ),
        Claim(
            id="C5",
            says="With L-Mul in attention, vision tasks lose no accuracy: on average they gain.",
            metric=(
                "top-1 accuracy with 4-bit L-Mul (carry, truncation) in both products of attention minus accuracy "
                "without it, in points, paired over the same images"
            ),
            setting="image classification by a vision transformer; L-Mul is swapped in after training",
            source="Section 3, vision tasks",
            published=(
                Published(
                    value=0.12,
                    label="mean accuracy change over VQAv2, VizWiz, TextVQA, POPE and others",
                    unit="points",
                    note="LLaVA-v1.5-7b and 13b",
                ),
            ),
            judge=at_least(0, null=0),
        ),
        Claim(
            id="C5b",
            says="In attention, 3-bit L-Mul already does better than float8 e5m2.",
            metric=(
                "cross-entropy with 3-bit L-Mul (carry, truncation) in both products of attention minus that with "
                "operands rounded to e5m2, in nats, paired over the same tokens"
            ),
            setting="next-token prediction",
            source="Section 3.4, ablation",
            published=(
                Published(
                    value=None,
                    label="GSM8k accuracy by mantissa bits",
                    note="Mistral and Llama; no point of the curves could be checked against a public source",
                ),
            ),
            judge=at_most(0, null=0),
        ),
        Claim(
            id="C6",
            says="Fine-tuned with L-Mul for every multiplication, a model does as well as one tuned in float8 e4m3.",
            metric=(
                "fall of the validation cross-entropy during fine-tuning with 3-bit L-Mul and e4m3 accumulation in "
                "every matrix product, over the fall with e4m3 operands"
            ),
            setting="fine-tuning a language model on a shifted corpus",
            source="Section 3.4, Table 6",
            published=(
                Published(
                    value=None,
                    label="GSM8k accuracy of the tuned Gemma2-2b-it",
                    note="L-Mul is said to equal float8 e4m3; the two accuracies could not be checked",
                ),
            ),
            judge=_ABOUT_EQUAL,
        ),
    ),
)
