"""What "MLP-KAN: Unifying Deep Representation and Function Learning" claims, and how each claim is judged."""

from paperworks.core import Claim, Paper, Published, at_least, at_most, between

_FORMULAS = "30 formulas of the Feynman lectures, test RMSE; networks of equal parameter counts here"
_EQUAL_TIME = (
    "30 formulas of the Feynman lectures, test RMSE; networks of equal parameter counts and training times here"
)
_IMAGES = "vision transformers trained on CIFAR-10, CIFAR-100 and mini-ImageNet"
_CIFAR = "vision transformers trained on CIFAR-10 and CIFAR-100"


def _accuracy(label: str, value: float) -> Published:
    return Published(value=value, label=label)


PAPER = Paper(
    slug="mlp_kan",
    arxiv="2410.03027",
    title="MLP-KAN: Unifying Deep Representation and Function Learning",
    authors=("Yunhong He", "Yifeng Xie", "Zhengqing Yuan", "Lichao Sun"),
    field="function learning",
    gist="Mixes MLPs and splines as experts: B-spline layers that are exact, and routers without a loop over experts.",
    claims=(
        Claim(
            id="MK1",
            says="On function learning, MLP-KAN has a lower error than an MLP.",
            metric="RMSE of the MLP divided by that of MLP-KAN, geometric mean over the equations, then over the seeds",
            setting=_FORMULAS,
            source="Table 2; means computed from it",
            published=(
                Published(value=30, label="equations of 30 on which MLP-KAN is better"),
                Published(value=0.0287, label="mean RMSE, MLP-KAN"),
                Published(value=0.2024, label="mean RMSE, MLP"),
            ),
            judge=at_least(1, null=1),
        ),
        Claim(
            id="MK1-wins",
            says="MLP-KAN has a lower error than an MLP on every equation.",
            metric="share of the equations on which the RMSE of MLP-KAN is below that of the MLP, mean over the seeds",
            setting=_FORMULAS,
            source="Table 2",
            published=(Published(value=30, label="equations of 30 on which MLP-KAN is better"),),
            judge=at_least(1, null=0.5),
        ),
        Claim(
            id="MK1-time",
            says="MLP-KAN has a lower error than an MLP that was trained for as long.",
            metric="RMSE of the MLP divided by that of MLP-KAN, geometric mean over the equations, then over the seeds",
            setting=_EQUAL_TIME,
            source="Table 2, whose training times are not given",
            published=(
                Published(value=0.0287, label="mean RMSE, MLP-KAN"),
                Published(value=0.2024, label="mean RMSE, MLP"),
            ),
            judge=at_least(1, null=1),
        ),
        Claim(
            id="MK2",
            says="On most equations, MLP-KAN has a lower error than a KAN.",
            metric="share of the equations on which the RMSE of MLP-KAN is below that of the KAN, mean over the seeds",
            setting=_FORMULAS,
            source="Table 2; means computed from it",
            published=(
                Published(value=20, label="equations of 30 on which MLP-KAN is better"),
                Published(value=0.0287, label="arithmetic mean RMSE, MLP-KAN"),
                Published(value=0.0276, label="arithmetic mean RMSE, KAN"),
                Published(value=0.0120, label="geometric mean RMSE, MLP-KAN"),
                Published(value=0.0138, label="geometric mean RMSE, KAN"),
            ),
            judge=at_least(0.5, null=0.5),
        ),
        Claim(
            id="MK2-mean",
            says="Over all equations, MLP-KAN has a lower error than a KAN.",
            metric="RMSE of the KAN divided by that of MLP-KAN, geometric mean over the equations, then over the seeds",
            setting=_FORMULAS,
            source="Table 2; means computed from it",
            published=(
                Published(value=0.0120, label="geometric mean RMSE, MLP-KAN"),
                Published(value=0.0138, label="geometric mean RMSE, KAN"),
                Published(value=0.0287, label="arithmetic mean RMSE, MLP-KAN"),
                Published(value=0.0276, label="arithmetic mean RMSE, KAN"),
            ),
            judge=at_least(1, null=1),
        ),
        Claim(
            id="MK2-time",
            says="On most equations, MLP-KAN has a lower error than a KAN that was trained for as long.",
            metric="share of the equations on which the RMSE of MLP-KAN is below that of the KAN, mean over the seeds",
            setting=_EQUAL_TIME,
            source="Table 2, whose training times are not given",
            published=(Published(value=20, label="equations of 30 on which MLP-KAN is better"),),
            judge=at_least(0.5, null=0.5),
        ),
        Claim(
            id="MK3-MLP",
            says="On images, MLP-KAN is close to the MLP.",
            metric="top-1 accuracy of MLP-KAN divided by that of the MLP, geometric mean over the data sets",
            setting=_IMAGES,
            source="Table 3",
            published=(
                _accuracy("CIFAR-10 top-1, MLP-KAN", 0.920),
                _accuracy("CIFAR-10 top-1, MLP", 0.922),
                _accuracy("CIFAR-10 top-5, MLP-KAN", 0.996),
                _accuracy("CIFAR-10 top-5, MLP", 0.997),
                _accuracy("CIFAR-100 top-1, MLP-KAN", 0.750),
                _accuracy("CIFAR-100 top-1, MLP", 0.752),
                _accuracy("CIFAR-100 top-5, MLP-KAN", 0.952),
                _accuracy("CIFAR-100 top-5, MLP", 0.958),
                _accuracy("mini-ImageNet top-1, MLP-KAN", 0.679),
                _accuracy("mini-ImageNet top-1, MLP", 0.680),
                _accuracy("mini-ImageNet top-5, MLP-KAN", 0.843),
                _accuracy("mini-ImageNet top-5, MLP", 0.845),
            ),
            judge=between(1 / 1.25, 1.25),
        ),
        Claim(
            id="MK3-KAN",
            says="On images, MLP-KAN is above the KAN.",
            metric="top-1 accuracy of MLP-KAN less that of the KAN, mean over the data sets",
            setting=_IMAGES,
            source="Table 3",
            published=(
                _accuracy("CIFAR-10 top-1, KAN", 0.904),
                _accuracy("CIFAR-10 top-5, KAN", 0.989),
                _accuracy("CIFAR-100 top-1, KAN", 0.731),
                _accuracy("CIFAR-100 top-5, KAN", 0.933),
                _accuracy("mini-ImageNet top-1, KAN", 0.623),
                _accuracy("mini-ImageNet top-5, KAN", 0.803),
            ),
            judge=at_least(0, null=0),
        ),
        Claim(
            id="MK4",
            says="On SST-2, MLP-KAN is the best of the three.",
            metric="accuracy of MLP-KAN less that of the better of MLP and KAN",
            setting="bert-base-uncased fine-tuned on SST-2",
            source="Table 3",
            published=(
                _accuracy("accuracy, MLP-KAN", 0.935),
                _accuracy("F1, MLP-KAN", 0.933),
                _accuracy("accuracy, MLP", 0.931),
                _accuracy("F1, MLP", 0.930),
                _accuracy("accuracy, KAN", 0.925),
                _accuracy("F1, KAN", 0.925),
            ),
            judge=at_least(0, null=0),
        ),
        Claim(
            id="MK5",
            says="More experts help.",
            metric="top-1 accuracy with 8 experts less that with 4, mean over the data sets",
            setting=_CIFAR,
            source="Table 4",
            published=(
                _accuracy("CIFAR-10, 4 experts", 0.908),
                _accuracy("CIFAR-10, 6 experts", 0.914),
                _accuracy("CIFAR-10, 8 experts", 0.920),
                _accuracy("CIFAR-100, 4 experts", 0.742),
                _accuracy("CIFAR-100, 6 experts", 0.740),
                _accuracy("CIFAR-100, 8 experts", 0.750),
            ),
            judge=at_least(0, null=0),
        ),
        Claim(
            id="MK5-8",
            says="The gain from more experts saturates at 8.",
            metric="gain in top-1 accuracy from 8 to 10 experts less that from 6 to 8, mean over the data sets",
            setting=_CIFAR,
            source="Table 4",
            published=(
                _accuracy("CIFAR-10, 10 experts", 0.928),
                _accuracy("CIFAR-100, 10 experts", 0.755),
            ),
            judge=at_most(0, null=0),
        ),
        Claim(
            id="MK6",
            says="Two experts a token are best.",
            metric="top-1 accuracy with 2 experts a token less that of the better of 1 and 3, mean over the data sets",
            setting=_CIFAR,
            source="Table 5",
            published=(
                _accuracy("CIFAR-10, top-1 routing", 0.920),
                _accuracy("CIFAR-10, top-2 routing", 0.920),
                _accuracy("CIFAR-10, top-3 routing", 0.908),
                _accuracy("CIFAR-100, top-1 routing", 0.750),
                _accuracy("CIFAR-100, top-2 routing", 0.750),
                _accuracy("CIFAR-100, top-3 routing", 0.742),
            ),
            judge=at_least(0, null=0),
        ),
        Claim(
            id="MK7",
            says="The error of cubic splines falls with the fourth power of the number of cells.",
            metric="slope of log RMSE against log cells, 5 to 80 cells",
            setting="a smooth function of one variable, fitted by least squares",
            source="Section 3",
            published=(Published(value=-4, label="slope"),),
            judge=between(-5, -3.2),
        ),
    ),
)
