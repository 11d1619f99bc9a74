"""What "Tutor CoPilot: A Human-AI Approach for Scaling Real-Time Expertise" claims, and how each claim is judged."""

from paperworks.core import Claim, Paper, Published, at_least, between

_SESSIONS = "4,136 sessions of 782 tutors and 1,787 students of grades 3 to 8, tutors randomised, two months"
_CLASSROOM = "needs a trial with real tutors and students; a simulated one can only show that the estimator works"
_MESSAGES = "550,000 messages of the trial, labelled by classifiers"
_FULL_TEXT = "official replication scripts; levels from summaries of the full text"


def _points(label: str, value: float) -> Published:
    return Published(value=value, label=label, unit="%")


PAPER = Paper(
    slug="tutor_copilot",
    arxiv="2410.03017",
    title="Tutor CoPilot: A Human-AI Approach for Scaling Real-Time Expertise",
    authors=("Rose E. Wang", "Ana T. Ribeiro", "Carly D. Robinson", "Susanna Loeb", "Dora Demszky"),
    field="education",
    gist="A room where tutor and student talk, expert moves for the tutor, and the trial that would measure them.",
    claims=(
        Claim(
            id="T1",
            says="Students whose tutors have access to Tutor CoPilot master more of their lessons.",
            metric="share of sessions whose exit ticket is passed (0 where none was tried), treatment less control",
            setting=_SESSIONS,
            source="abstract",
            published=(
                _points("difference", 4),
                Published(value=None, label="levels", unit="%", note="Summaries give 62 % for control and 66 %."),
            ),
            untestable=_CLASSROOM,
        ),
        Claim(
            id="T2",
            says="The gain is largest for students of lower-rated tutors.",
            metric="the difference of T1 in the lowest third of tutors by rating, less that in the highest third",
            setting=_SESSIONS,
            source="abstract",
            published=(_points("difference, lowest third", 9),),
            untestable=_CLASSROOM,
        ),
        Claim(
            id="T3",
            says="The gain is larger for students of less experienced tutors.",
            metric="the difference of T1 in the third of tutors with the least experience, less that in the most",
            setting=_SESSIONS,
            source=_FULL_TEXT,
            published=(
                Published(
                    value=None,
                    label="difference, lowest third",
                    unit="%",
                    note="A secondary source gives 7 points (61 to 68 %).",
                ),
            ),
            untestable=_CLASSROOM,
        ),
        Claim(
            id="T4",
            says="Sessions in which the tutor used it gain more than those with mere access.",
            metric="effect of use on the outcome of T1, two-stage least squares with the arm as instrument",
            setting=f"{_SESSIONS}; used in 29 % of treated sessions",
            source=_FULL_TEXT,
            published=(
                Published(
                    value=None,
                    label="effect of use",
                    unit="%",
                    note="A secondary source gives 14 points; 4 points over 29 % use is 13.8.",
                ),
            ),
            untestable=_CLASSROOM,
        ),
        Claim(
            id="T5",
            says="Tutors with access guide more and give the answer away less.",
            metric="log-odds of guiding questions in treated sessions less that in control sessions",
            setting=_MESSAGES,
            source="abstract (directions)",
            published=(
                Published(
                    value=None,
                    label="difference of the log-odds",
                    note='"more likely to use high-quality strategies to foster student understanding (e.g., asking '
                    'guiding questions) and less likely to give away the answer to the student"',
                ),
            ),
            untestable="needs what tutors of both arms really wrote; a simulated tutor would show our own assumption",
        ),
        Claim(
            id="T6",
            says="It costs about $20 a tutor and year.",
            metric="dollars a tutor and year: tokens of a suggestion as our prompts count them, at the prices of GPT-4 "
            "in 2024, times the paper's uses a session and sessions a tutor",
            setting="GPT-4, 29 % of treated sessions with about 10 uses each",
            source="abstract",
            published=(Published(value=20, label="a tutor and year", unit="$"),),
            judge=between(16, 25),
        ),
        Claim(
            id="T7",
            says="Neither the survey of students nor the test at the end of the year shows an effect.",
            metric="smallest p-value of the surveys and the test, after Romano and Wolf's step-down",
            setting=_SESSIONS,
            source=_FULL_TEXT,
            published=(
                Published(value=None, label="p", note="A secondary source calls these effects not significant."),
            ),
            untestable=_CLASSROOM,
        ),
        Claim(
            id="T8",
            says="Exit tickets predict achievement.",
            metric="standard deviations of the MAP score for each further exit ticket that is passed",
            setting="data of the year before",
            source=_FULL_TEXT,
            published=(
                Published(
                    value=None,
                    label="a further ticket",
                    unit="SD",
                    note="A secondary source gives 0.06 with p < 0.001.",
                ),
            ),
            untestable="needs test scores of real students",
        ),
        Claim(
            id="T9",
            says="Classifiers find the strategies in what tutors write.",
            metric="F1 of each of the seven strategies on held-out turns, mean over the strategies",
            setting="RoBERTa fine-tuned on labels by GPT-4, 898 turns checked by hand",
            source="official notebook of the analysis",
            published=(
                Published(value=0.727, label="F1, retry"),
                Published(value=0.650, label="F1, affirm"),
                Published(value=0.889, label="F1, explain"),
                Published(value=0.905, label="F1, guide"),
                Published(value=0.759, label="F1, give away"),
                Published(value=0.811, label="F1, encourage"),
                Published(value=0.758, label="F1, solution"),
            ),
            judge=at_least(0.65),
        ),
        Claim(
            id="T10",
            says="Giving the answer away is more common than asking the student to explain.",
            metric="share of tutor turns that give the answer away less that of turns that ask to explain",
            setting="241,066 turns of tutors in the analysed sessions",
            source="official notebook of the analysis",
            published=(
                _points("retry", 0.94),
                _points("affirm", 13.41),
                _points("explain", 2.55),
                _points("guide", 4.45),
                _points("give away", 5.92),
                _points("encourage", 11.85),
                _points("solution", 13.03),
            ),
            untestable="needs the messages of the trial, which are not public",
        ),
        Claim(
            id="B1",
            says="GPT-4 answers a mistake better when it is told an expert's decision.",
            metric="preference of raters for the answer with the expert's decision over that without",
            setting="Bridge, 700 conversations, experienced teachers",
            source="arXiv 2310.10648, abstract",
            published=(
                _points("with an expert's decision", 76),
                _points("with a random decision", -97),
            ),
            untestable="needs teachers who rate answers",
        ),
    ),
)
