"""A step that a run elsewhere has laid out: ``python -m paperworks.app.cluster.seed_child JOB OFFER``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from paperworks.app.child import die_with_parent
from paperworks.app.job import Job
from paperworks.lab import offers, steps

from .paper_child import refuse_other_source

READY = b"ready\n"
"""Written to the events descriptor before the step begins; its record follows."""


def main() -> int:
    """Compute the offer in the file that the command line names, for the run that has the job."""
    events = int(os.environ["PAPERWORKS_EVENTS"])
    die_with_parent(int(os.environ["PAPERWORKS_LIFELINE"]), events)
    os.set_inheritable(events, False)
    refuse_other_source(Job.from_json(sys.argv[1]))
    name, fn, params = offers.load(Path(sys.argv[2]).read_bytes())
    with os.fdopen(events, "wb") as out:
        out.write(READY)
        out.flush()
        out.write(steps.record(name, fn, params))
    return 0


if __name__ == "__main__":
    sys.exit(main())
