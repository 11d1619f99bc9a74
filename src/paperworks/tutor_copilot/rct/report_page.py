"""The trial's report: one HTML page with forest plots, tables and what they rest on."""

from __future__ import annotations

from typing import Any

import pandas as pd
from markupsafe import Markup

from paperworks import __version__
from paperworks.lab import page, plots
from paperworks.lab.figures import svg

from .analysis import Analysis, analyse
from .estimate import Estimate

__all__ = ["page_of", "report"]

_NAMES = {
    "exit_ticket_passed_u": "exit ticket passed",
    "exit_ticket_passed_c": "passed, if attempted",
    "exit_ticket_attempted": "exit ticket attempted",
    "participation_points_std": "participation (SD)",
    "survey_understanding": "survey: understanding over memorising",
    "survey_can_learn": "survey: can learn when it is hard",
    "survey_tutor_cared": "survey: tutor cared",
    "session_rating": "session rating",
    "tutor_rating_prior": "rating",
    "tutor_experience_months": "experience",
}
_PARTS = {3: ("lowest third", "middle third", "highest third")}


def report(frame: pd.DataFrame, *, title: str = "Trial report", **settings: Any) -> str:
    """The HTML page of the analysis of ``frame``; ``settings`` are those of `analyse`, which says what is raised."""
    return page_of(analyse(frame, **settings), title=title)


def page_of(analysis: Analysis, *, title: str = "Trial report") -> str:
    """The HTML page of an analysis that is there already."""
    return page.render(
        "paperworks.tutor_copilot",
        "trial.html",
        who="tutor_copilot",
        title=title,
        description="Effects of a randomised trial with whole tutors assigned, with intervals and adjusted p-values.",
        styles=[page.asset("paperworks.tutor_copilot", "trial.css")],
        version=__version__,
        analysis=analysis,
        headline=_name(analysis.headline.itt.outcome),
        effects=[_row(each.itt, each.tot, each.adjusted.p_romano_wolf) for each in analysis.effects],
        forest=Markup(_forest_of_outcomes(analysis)),
        thirds=[
            {
                "name": _name(each.name),
                "p": _p(each.p_equal),
                "rows": [
                    {"part": part, "effect": _interval(effect), "n": f"{effect.n:,}", "tutors": effect.clusters}
                    for part, effect in zip(_parts(len(each.effects)), each.effects, strict=True)
                ],
            }
            for each in (analysis.thirds.moderators if analysis.thirds else ())
        ],
        forest_of_thirds=Markup(_forest_of_thirds(analysis)) if analysis.thirds else "",
        missing=[
            {"name": _name(each.outcome.removesuffix(" is missing")), "effect": _interval(each)}
            for each in analysis.missing
        ],
        balance=[
            {
                "name": row.covariate,
                "treatment": f"{row.treatment:.3g}",
                "control": f"{row.control:.3g}",
                "standardised": f"{row.standardised:+.2f}".replace("-", "−"),
                "p": _p(row.p),
            }
            for row in analysis.balance.itertuples()
        ],
        p_randomization=_p(analysis.p_randomization),
        odds="" if (odds := analysis.odds) is None else f"{odds.value:.2f} [{odds.low:.2f}, {odds.high:.2f}]",
    )


def _row(itt: Estimate, tot: Estimate | None, p_adjusted: float) -> dict[str, str]:
    return {
        "name": _name(itt.outcome),
        "control": f"{itt.control:.3f}",
        "effect": _interval(itt),
        "use": "–" if tot is None else _interval(tot),
        "p": _p(itt.p),
        "p_adjusted": _p(p_adjusted),
        "n": f"{itt.n:,}",
        "clusters": f"{itt.clusters:,}",
    }


def _forest_of_outcomes(analysis: Analysis) -> str:
    dots = [
        plots.Dot(
            label=_name(each.itt.outcome),
            value=each.itt.value / each.sd,
            low=each.itt.low / each.sd,
            high=each.itt.high / each.sd,
            hollow=each.adjusted.p_romano_wolf >= 0.05,
        )
        for each in analysis.effects
    ]
    text = "Effect of assignment on each outcome in standard deviations of the control arm, with 95 % intervals"
    return _forest(dots, "effect, standard deviations of the control arm", "forest-outcomes", text)


def _forest_of_thirds(analysis: Analysis) -> str:
    assert analysis.thirds is not None
    dots = [
        plots.Dot(
            label=f"{_name(each.name)}, {part}", value=effect.value, low=effect.low, high=effect.high, group=place
        )
        for place, each in enumerate(analysis.thirds.moderators)
        for part, effect in zip(_parts(len(each.effects)), each.effects, strict=True)
    ]
    headline = _name(analysis.headline.itt.outcome)
    text = f"Effect on {headline} in each third of the tutors, with 95 % intervals"
    return _forest(dots, f"effect on {headline}", "forest-thirds", text)


def _forest(dots: list[plots.Dot], label: str, name: str, alt: str) -> str:
    with plots.style():
        fig, ax = plots.figure(width=6.8, ratio=0.12 + 0.06 * len(dots))
        plots.intervals(ax, dots, null=0, null_label="no effect")
        ax.set_xlabel(label)
    return svg(fig, name, alt)


def _parts(count: int) -> tuple[str, ...]:
    return _PARTS.get(count, tuple(f"part {each + 1} of {count}" for each in range(count)))


def _name(column: str) -> str:
    return _NAMES.get(column, column.replace("_", " "))


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]".replace("-", "−")


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
