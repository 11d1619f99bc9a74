"""What the paper claims, and how each claim is judged."""

from paperworks.core import Claim, Paper, at_least

PAPER = Paper(
    slug="sjd",
    arxiv="2410.01699",
    title=(
        "Accelerating Auto-regressive Text-to-Image Generation with Training-free Speculative Jacobi Decoding"
    ),
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
        "Guesses a window of image tokens, checks all of them in one pass of the model, and draws the same "
        "pictures in fewer passes."
    ),
    claims=(
        Claim(
            id="C1",
            says="The first thing that the paper claims, in one sentence.",
            metric="the one number that decides it, and how everything measured is reduced to that number",
            setting="what the paper measured it on",
            source="the section, table or figure",
            judge=at_least(0, null=0),
        ),
    ),
)
