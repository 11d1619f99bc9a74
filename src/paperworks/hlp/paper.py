"""What "Horizon-Length Prediction" claims, and how each claim is judged."""

from paperworks.core import Claim, Paper, Published, at_least, at_most

_NEEDS_MODELS = (
    "needs the paper's base models trained further on a corpus of public code, and its benchmark, none of which is "
    "part of the package; a number from a small model of ours would say nothing about it"
)
_TRAINING = "DeepSeek-Coder 1.3B and 6.7B, StarCoder2 3B and 7B, trained further with and without the horizon loss"


def _benchmark(claim: str, says: str, metric: str, setting: str, source: str, published: Published) -> Claim:
    return Claim(
        id=claim,
        says=says,
        metric=metric,
        setting=f"{setting}; {_TRAINING}",
        source=source,
        published=(published,),
        untestable=_NEEDS_MODELS,
    )


PAPER = Paper(
    slug="hlp",
    arxiv="2410.03103",
    title=(
        "Horizon-Length Prediction: Advancing Fill-in-the-Middle Capabilities for Code Generation with "
        "Lookahead Planning"
    ),
    authors=("Yifeng Ding", "Hantian Ding", "Shiqi Wang", "Qing Sun", "Varun Kumar", "Zijian Wang"),
    field="code generation",
    gist=(
        "Trains a code model to know, at every token of a hole it fills, how much is still to come, so that "
        "it stops where the code goes on."
    ),
    claims=(
        _benchmark(
            "H1",
            "Horizon-length prediction improves repository-level infilling without post-processing.",
            "relative gain in exact match over training without it, the largest over models and benchmarks",
            "RepoEval, CrossCodeEval, CCLongEval",
            "Abstract",
            Published(value=24.0, label="relative gain in exact match, up to", unit="%"),
        ),
        _benchmark(
            "H2",
            "It improves syntax-aware infilling.",
            "relative gain in pass@1 over training without it, mean of block, control flow and API completion",
            "SAFIM",
            "results on SAFIM",
            Published(value=None, label="relative gain in pass@1", note="higher; seen only in a summary by others"),
        ),
        _benchmark(
            "H3",
            "It improves program repair.",
            "relative gain in pass@1 over training without it",
            "Defects4J",
            "results on program repair",
            Published(value=None, label="relative gain in pass@1", note="higher; seen only in a summary by others"),
        ),
        _benchmark(
            "H4",
            "It improves reasoning about code.",
            "relative gain in pass@1 over training without it, the larger of input and output prediction",
            "CRUXEval-I and CRUXEval-O",
            "results on code reasoning",
            Published(value=6.0, label="relative gain in pass@1, up to", unit="%"),
        ),
        Claim(
            id="H5",
            says="The head adds a negligible number of parameters: less than 0.01 % of the model's.",
            metric="parameters of the head over those of the model, in %, the largest of the paper's four base models",
            setting=_TRAINING,
            source="the section on overhead",
            published=(
                Published(value=None, label="share of parameters", note="negligible; the bound seen in a summary only"),
            ),
            judge=at_most(0.01),
        ),
        Claim(
            id="H5-time",
            says="The head costs next to no training time, and none at inference.",
            metric="time of a training step with the horizon loss over that without it",
            setting=_TRAINING,
            source="Abstract",
            published=(Published(value=None, label="training time", note='"negligible"; no number could be checked'),),
            untestable=(
                "'negligible' sets no bound to judge by; `paperworks bench hlp` prints the ratio. At inference the "
                "head is not there, which a test holds"
            ),
        ),
        Claim(
            id="H6",
            says="Without rules that cut what they write, models do badly at infilling.",
            metric="exact match with the rules minus without them, in percentage points, same generations, paired",
            setting="CrossCodeEval and other repository-level benchmarks",
            source="the analysis of post-processing",
            published=(Published(value=None, label="exact match lost", note="large; no number could be checked"),),
            judge=at_least(0, null=0),
        ),
        Claim(
            id="H7",
            says="Next-token prediction alone does not make a model aware of the horizon; the horizon loss does.",
            metric=(
                "R2 of a ridge regression from frozen hidden states to the horizon, trained with the loss minus "
                "trained without it, paired over seeds"
            ),
            setting="held-out fill-in-the-middle data",
            source="the probe of hidden states",
            published=(Published(value=None, label="probe", note="poor without, good with; numbers not checked"),),
            judge=at_least(0, null=0),
        ),
        Claim(
            id="H8",
            says="The horizon loss moves attention to the suffix, and planning fails less often.",
            metric="share of the middle's attention on the suffix, with the loss minus without it, paired over seeds",
            setting="held-out fill-in-the-middle data",
            source="the analysis in the later version",
            published=(Published(value=None, label="attention on the suffix", note="more; no number was checked"),),
            judge=at_least(0, null=0),
        ),
    ),
)
