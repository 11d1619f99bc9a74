"""What "Selective Attention Improves Transformer" claims, and how each claim is judged."""

from paperworks.core import Claim, Paper, Published, at_least, at_most

_LANGUAGE = (
    "next-token prediction on held-out files; the paper: C4, decoder-only models, contexts of 512, 1024 and 2048"
)
_MEMORY = (
    "largest factor layers x context / sum of the layers' budgets, budgets found greedily, at which the pruned "
    "selective model (trained with the memory loss) has a validation loss no higher than the standard model's"
)
_TASK = (
    "accuracy of the values asked for, in a variable assignment task (3 variables, 10 values; trained on 3 to 12 "
    "assignments), mean over seeds"
)
_TASK_SETTING = "small models trained on the task; the paper's accuracies could not be checked, solved or not could"


def _factor(context: int, factor: float, trained: str) -> Claim:
    return Claim(
        id=f"S3-{context}",
        says=f"With a context of {context}, pruning cuts the memory of attention {factor:g} times at equal perplexity.",
        metric=f"{_MEMORY}; {trained}",
        setting=_LANGUAGE,
        source="Abstract",
        published=(Published(value=factor, label=f"memory factor, context of {context}", unit="times"),),
        judge=at_least(factor, null=1),
    )


PAPER = Paper(
    slug="selective_attention",
    arxiv="2410.02703",
    title="Selective Attention Improves Transformer",
    authors=("Yaniv Leviathan", "Matan Kalman", "Yossi Matias"),
    field="efficient attention",
    gist=(
        "Lets each token vote, through one head's logits, on which earlier tokens a layer no longer needs: lower "
        "perplexity without parameters, and a key-value cache that can drop what was voted out."
    ),
    claims=(
        Claim(
            id="S1",
            says="At equal size, selective attention has a lower perplexity than standard attention, at every size and "
            "context length.",
            metric=(
                "validation loss of the standard model minus that of the selective one, in nats a token, trained on "
                "the same batches for as many steps, paired over the same tokens; the smallest of the settings measured"
            ),
            setting=_LANGUAGE,
            source="Abstract; Section 4",
            published=(
                Published(
                    value=None,
                    label="validation log-perplexity",
                    note="lower at all sizes and context lengths; no single number",
                ),
            ),
            judge=at_least(0, null=0),
        ),
        Claim(
            id="S2",
            says="Selective attention does as well as standard attention with twice the heads.",
            metric=(
                "validation loss of the standard model with twice the heads minus that of the selective one, in nats a "
                "token, trained on the same batches for as many steps and paired over the same tokens"
            ),
            setting=_LANGUAGE,
            source="Abstract",
            published=(
                Published(value=None, label="heads at equal perplexity", note='"~2X more heads and parameters"'),
            ),
            judge=at_least(0, null=0),
        ),
        _factor(512, 16.0, "context of 512 tokens, or of the longest that is trained"),
        _factor(1024, 25.0, "context of 1024 tokens"),
        _factor(2048, 47.0, "context of 2048 tokens"),
        Claim(
            id="S4",
            says="Selective attention solves variable assignment at lengths it was trained on.",
            metric=f"{_TASK}, selective attention, 12 assignments",
            setting=_TASK_SETTING,
            source="Section 2, variable assignment",
            judge=at_least(0.99),
        ),
        Claim(
            id="S4-longer",
            says="Selective attention solves variable assignment at lengths that it was not trained on.",
            metric=f"{_TASK}, selective attention, 48 assignments: four times the longest trained",
            setting=_TASK_SETTING,
            source="Section 2, variable assignment",
            judge=at_least(0.99),
        ),
        Claim(
            id="S4-standard",
            says="Standard attention does not solve variable assignment at lengths that it was not trained on.",
            metric=f"{_TASK}, standard attention, 48 assignments: four times the longest trained",
            setting=_TASK_SETTING,
            source="Section 2, variable assignment",
            judge=at_most(0.7),
        ),
        Claim(
            id="S5",
            says="Models with selective attention are better at HellaSwag, at every size.",
            metric=(
                "accuracy on HellaSwag with the endings' likelihoods normalised by length, selective minus standard, "
                "in points; models trained on the same batches for as many steps, paired by question; the smallest of "
                "the settings measured"
            ),
            setting="models trained on C4",
            source="Section 4, downstream evaluation",
            published=(Published(value=None, label="HellaSwag accuracy", note="better for all model sizes"),),
            judge=at_least(0, null=0),
        ),
        Claim(
            id="S6",
            says="What selective attention has masked can be pruned from the context at almost no loss.",
            metric=(
                "rise of the selective model's validation loss when each layer keeps a quarter of the context, in "
                "percent of the loss; 'almost no' is taken as at most 1 %"
            ),
            setting=_LANGUAGE,
            source="Section 3, context pruning",
            published=(Published(value=None, label="perplexity by budget", note="a curve; no point could be checked"),),
            judge=at_most(1.0),
        ),
        Claim(
            id="S6-window",
            says="Pruning by selective attention is much better than local attention with the same budget.",
            metric=(
                "validation loss of the same model with a sliding window of K tokens minus that with a budget of K, in "
                "nats a token, paired over the same tokens; the smallest over the budgets from half to an eighth of "
                "the context"
            ),
            setting=_LANGUAGE,
            source="Section 3, context pruning",
            published=(Published(value=None, label="perplexity by budget", note="a curve; no point could be checked"),),
            judge=at_least(0, null=0),
        ),
        Claim(
            id="S7",
            says="Selective attention adds a negligible amount of computation.",
            metric=(
                "floating-point operations that selection adds to a forward pass (rectify, accumulate, subtract from "
                "every head), in percent of the pass, for the paper's 12-layer model at a context of 512; 'negligible' "
                "is taken as at most 1 %"
            ),
            setting="counted, not timed",
            source="Section 2, caption of the sketch",
            published=(Published(value=None, label="extra computation", note='"negligible"'),),
            judge=at_most(1.0),
        ),
    ),
)
