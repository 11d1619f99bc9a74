"""What "NRGBoost: Energy-Based Generative Boosted Trees" claims, and how each claim is judged."""

from paperworks.core import Claim, Paper, Published, at_least, between

_TABLES = (
    "seven tables of 4,000 to 580,000 rows: abalone, California housing, protein, adult, MiniBooNE, MNIST, covertype"
)
_UNCHECKED = "no cell of the paper's table could be checked against a public source"
_SCORE = "R squared for regression, accuracy for classification"


def _seen(label: str, note: str = _UNCHECKED) -> tuple[Published, ...]:
    return (Published(value=None, label=label, note=note),)


PAPER = Paper(
    slug="nrgboost",
    arxiv="2410.03535",
    title="NRGBoost: Energy-Based Generative Boosted Trees",
    authors=("João Bravo",),
    field="tabular data",
    gist=(
        "Gradient-boosted trees that model the joint density of a table: one fitted model predicts any column, draws "
        "synthetic rows, fills gaps, and scores how plausible a row is."
    ),
    claims=(
        Claim(
            id="C1",
            says="NRGBoost predicts a target about as well as discriminative gradient boosting.",
            metric=(
                f"geometric mean, over tables, of the ratio of test scores ({_SCORE}) of NRGBoost and of a "
                "discriminative gradient-boosting model, both with early stopping"
            ),
            setting=_TABLES,
            source="Abstract; Table 1",
            published=_seen("test scores of NRGBoost and XGBoost", 'the abstract: "competitive"; ' + _UNCHECKED),
            judge=between(1 / 1.25, 1.25),
        ),
        Claim(
            id="C2",
            says="NRGBoost predicts better than the other generative models made of trees, on every data set.",
            metric=(
                f"smallest, over tables, of the test score ({_SCORE}) of NRGBoost minus the best density forest's "
                "(likelihood and Brier criterion)"
            ),
            setting=_TABLES,
            source="Table 1",
            published=_seen("test scores of RFDE, ARF, DEF (ISE), DEF (KL) and NRGBoost"),
            judge=at_least(0, null=0),
        ),
        Claim(
            id="C3",
            says="A model trained on NRGBoost's samples beats one trained on other tree models' samples in most cases.",
            metric=(
                "share of the pairs of a table and another generator (density forests by likelihood and by Brier "
                f"criterion) in which a gradient-boosting model trained on NRGBoost's samples has the higher score "
                f"({_SCORE}) on real rows"
            ),
            setting=_TABLES,
            source="Table 2",
            published=_seen("machine-learning efficiency of six generators"),
            judge=at_least(0.5, null=0.5),
        ),
        Claim(
            id="C3-neural",
            says="NRGBoost's samples are as useful as those of neural generators.",
            metric="machine-learning efficiency of NRGBoost over that of TVAE and of TabDDPM",
            setting=_TABLES,
            source="Abstract; Table 2",
            published=_seen("machine-learning efficiency", 'the abstract: "comparable"; ' + _UNCHECKED),
            untestable=(
                "TVAE and TabDDPM are no part of this package; trained small they would be weak stand-ins of themselves"
            ),
        ),
        Claim(
            id="C4",
            says="NRGBoost's samples are harder to tell from real rows than those of other tree models.",
            metric=(
                "mean, over tables, of the smallest area under the ROC curve with which a gradient-boosting model "
                "tells a density forest's samples from held-out rows, minus that for NRGBoost's samples"
            ),
            setting=_TABLES,
            source="Table 3",
            published=_seen("area under the curve of a discriminator"),
            judge=at_least(0, null=0),
        ),
        Claim(
            id="C5",
            says="NRGBoost alone of the models made of trees draws passable pictures of digits.",
            metric=(
                "share of digits drawn for a given class that a classifier trained on real digits assigns to that "
                "class, NRGBoost minus the best density forest, in points"
            ),
            setting="MNIST at 14 x 14 pixels",
            source="Figure 1",
            published=_seen("samples", "a figure of samples"),
            judge=at_least(0, null=0),
        ),
        Claim(
            id="C6",
            says="Rejection keeps most of the model's samples from round to round.",
            metric="share of the pool of samples that a round keeps, mean over rounds, with a refresh fraction of 0.1",
            setting="training with a pool of 80,000 samples",
            source="Section 4, amortised sampling; Figure 4",
            published=_seen("share of samples kept by round", "a figure; no point could be checked"),
            judge=at_least(0.5),
        ),
        Claim(
            id="C6-time",
            says="Keeping samples from round to round makes training faster.",
            metric=(
                "training time when every round draws its whole pool anew over the time when it keeps what rejection "
                "keeps, with the same settings otherwise"
            ),
            setting="training with a pool of 80,000 samples",
            source="Section 4, amortised sampling",
            published=_seen("training time", "minutes to hours on a desktop processor; no time could be checked"),
            judge=at_least(1, null=1),
        ),
        Claim(
            id="C7",
            says="The density becomes better round by round.",
            metric=(
                "exact Kullback-Leibler divergence of the model from the data after round 1 minus that after round "
                "100, in nats, on a two-dimensional grid, trees of 16 leaves, uniform start"
            ),
            setting="a two-dimensional toy density, rounds 1, 3, 10 and 100",
            source="Figure 2",
            published=_seen("density", "a figure of densities"),
            judge=at_least(0, null=0),
        ),
    ),
)
