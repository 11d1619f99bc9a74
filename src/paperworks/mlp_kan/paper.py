"""What the paper claims, and how each claim is judged."""

from paperworks.core import Claim, Paper, at_least

PAPER = Paper(
    slug="mlp_kan",
    arxiv="2410.03027",
    title="MLP-KAN: Unifying Deep Representation and Function Learning",
    authors=("Yunhong He", "Yifeng Xie", "Zhengqing Yuan", "Lichao Sun"),
    field="deep learning",
    gist=("Mixes MLPs and splines as experts: fits formulas with B-spline layers that are exact, fast and readable."),
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
