"""What the paper on speculative Jacobi decoding claims, and how each claim is judged."""

from __future__ import annotations

from paperworks.core import Claim, Paper, Published, at_least, at_most

_PASSES = "passes of the model for one picture, plain decoding over speculative, both counting the prompt's pass"
_TABLE = "main table; as a follow-up (arXiv 2510.24211) quotes it"
_LUMINA = "Lumina-mGPT 7B, 768 x 768 pixels, captions of MS-COCO 2017 val"


def _published(*cells: tuple[str, float, str]) -> tuple[Published, ...]:
    return tuple(Published(value=value, label=label, unit=unit) for label, value, unit in cells)


PAPER = Paper(
    slug="sjd",
    arxiv="2410.01699",
    title="Accelerating Auto-regressive Text-to-Image Generation with Training-free Speculative Jacobi Decoding",
    authors=(
        "Yao Teng",
        "Han Shi",
        "Xian Liu",
        "Xuefei Ning",
        "Guohao Dai",
        "Yu Wang",
        "Zhenguo Li",
        "Xihui Liu",
    ),
    field="image generation",
    gist=(
        "Guesses a window of image tokens, checks all of them in one pass of the model, and draws the same pictures "
        "in fewer passes."
    ),
    claims=(
        Claim(
            id="C1",
            says="Speculative Jacobi decoding halves the number of passes for a picture.",
            metric=_PASSES,
            setting=_LUMINA,
            source=_TABLE,
            published=_published(("step compression", 2.22, "times")),
            judge=at_least(2, null=1),
        ),
        Claim(
            id="C2",
            says="It halves the time for a picture.",
            metric="seconds for one picture, plain decoding over speculative, same code path and machine",
            setting=_LUMINA,
            source=_TABLE,
            published=_published(("latency", 2.05, "times")),
            judge=at_least(2, null=1),
        ),
        Claim(
            id="C3",
            says="The quality of the pictures is unchanged.",
            metric="FID and CLIP score of pictures drawn speculatively and plainly",
            setting=_LUMINA,
            source=_TABLE,
            published=_published(
                ("FID, plain", 30.79, ""),
                ("FID, speculative", 31.13, ""),
                ("CLIP score, plain", 31.31, ""),
                ("CLIP score, speculative", 31.33, ""),
            ),
            untestable=(
                "FID and CLIP score take Lumina-mGPT, the reference pictures and CLIP's weights; that the law of the "
                "output is the same, which is why they do not change, is C11"
            ),
        ),
        Claim(
            id="C4",
            says="It does as much on the prompts of PartiPrompts.",
            metric=f"{_PASSES}; latency and CLIP score beside it",
            setting="Lumina-mGPT 7B, PartiPrompts",
            source=_TABLE,
            published=_published(
                ("step compression", 2.28, "times"),
                ("latency", 2.13, "times"),
                ("CLIP score, plain", 32.01, ""),
                ("CLIP score, speculative", 32.06, ""),
            ),
            judge=at_least(2, null=1),
        ),
        Claim(
            id="C5",
            says="It does as much for Emu3.",
            metric=f"{_PASSES}; latency, FID and CLIP score beside it",
            setting="Emu3 8B, captions of MS-COCO 2017 val, and PartiPrompts",
            source=_TABLE,
            published=_published(
                ("step compression, COCO", 2.32, "times"),
                ("latency, COCO", 2.01, "times"),
                ("FID, plain, COCO", 31.12, ""),
                ("FID, speculative, COCO", 30.74, ""),
                ("CLIP score, plain, COCO", 31.05, ""),
                ("CLIP score, speculative, COCO", 30.95, ""),
                ("step compression, Parti", 2.35, "times"),
                ("latency, Parti", 2.11, "times"),
                ("CLIP score, plain, Parti", 31.85, ""),
                ("CLIP score, speculative, Parti", 31.65, ""),
            ),
            judge=at_least(2, null=1),
        ),
        Claim(
            id="C6",
            says="It works for Anole too.",
            metric=_PASSES,
            setting="Anole 7B",
            source="main table",
            published=(Published(value=None, label="step compression", note="about half of the passes"),),
            judge=at_least(2, null=1),
        ),
        Claim(
            id="C7",
            says="Deterministic Jacobi decoding hardly saves a pass when tokens are sampled.",
            metric=(
                f"{_PASSES}, where a draft is taken if a fresh draw equals it; 'hardly' is taken as at most 1.1 times"
            ),
            setting="Lumina-mGPT 7B, top-k of 2000",
            source="main table",
            published=(Published(value=None, label="step compression", note="next to none"),),
            judge=at_most(1.1),
        ),
        Claim(
            id="C8",
            says="First drafts from a neighbour in the picture save more passes where pictures are simple.",
            metric=(
                "passes for pictures of simple patterns, first drafts at random over first drafts from the left "
                "neighbour, other settings equal, paired pictures"
            ),
            setting="Lumina-mGPT 7B, prompts for simple patterns",
            source="table and figure on initialisation",
            published=_published(("step compression in simple patterns, at most", 2.43, "times")),
            judge=at_least(1, null=1),
        ),
        Claim(
            id="C9",
            says="The more random the sampling, the fewer drafts are accepted.",
            metric="accepted tokens a pass at the smallest top-k minus those at the largest",
            setting="Lumina-mGPT 7B, top-k varied",
            source="ablation figure",
            published=(Published(value=None, label="acceptance by top-k", note="a trend in a figure"),),
            judge=at_least(0, null=0),
        ),
        Claim(
            id="C10",
            says="The gain saturates as the window grows.",
            metric="step compression at the largest window over that at a window of 16; 'saturates': at most 1.1",
            setting=_LUMINA,
            source="a follow-up (arXiv 2510.24211) that ran windows of 16, 32 and 64",
            published=_published(
                ("plain decoding", 2390, "passes"),
                ("window of 64", 1036, "passes"),
                ("plain decoding", 102.0, "s"),
                ("window of 64", 43.0, "s"),
            ),
            judge=at_most(1.1),
        ),
        Claim(
            id="C11",
            says="The law of the output is that of plain decoding.",
            metric=(
                "total variation between the laws of speculative and plain decoding, by enumeration of every random "
                "path in float64; the largest over schemes and tabular models. 'Equal' is at most 1e-12, which is "
                "rounding"
            ),
            setting="proved for any model",
            source="Section 2",
            published=(Published(value=None, label="difference of the laws", note="none, by proof"),),
            judge=at_most(1e-12),
        ),
    ),
)
