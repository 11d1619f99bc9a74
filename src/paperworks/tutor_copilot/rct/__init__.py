"""The trial of a help for tutors: assign, analyse, plan and simulate it (sections 2.2 and 7).

from paperworks.tutor_copilot import rct

sessions = rct.simulate_trial(seed=1)
effect = rct.itt(sessions, "exit_ticket_passed_u", covariates=rct.COVARIATES, fixed_effects=rct.FIXED_EFFECTS)
"""

from .analysis import Analysis, analyse
from .assignment import Assignment, assign
from .balance import attrition, balance
from .effects import OddsRatio, itt, logit, tot
from .estimate import Estimate
from .heterogeneity import Heterogeneity, Moderator, heterogeneity
from .odds import log_odds
from .planning import Power, power, tutors_needed
from .regression import Regression
from .report_page import report
from .resampling import Adjusted, randomization, romano_wolf, score_bootstrap
from .simulation import COVARIATES, FIXED_EFFECTS, Setting, simulate_trial

__all__ = [
    "COVARIATES",
    "FIXED_EFFECTS",
    "Adjusted",
    "Analysis",
    "Assignment",
    "Estimate",
    "Heterogeneity",
    "Moderator",
    "OddsRatio",
    "Power",
    "Regression",
    "Setting",
    "analyse",
    "assign",
    "attrition",
    "balance",
    "heterogeneity",
    "itt",
    "log_odds",
    "logit",
    "power",
    "randomization",
    "report",
    "romano_wolf",
    "score_bootstrap",
    "simulate_trial",
    "tot",
    "tutors_needed",
]
