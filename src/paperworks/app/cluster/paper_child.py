"""One paper's experiment on a machine of the cluster: ``python -m paperworks.app.cluster.paper_child JOB``."""

from __future__ import annotations

import platform
import sys

from paperworks.app import child, fingerprint
from paperworks.app.job import Job
from paperworks.core import UserError


def refuse_other_source(job: Job) -> None:
    """UserError unless this process has the source, and the packages, that the driver gave ``job`` for."""
    if fingerprint.steps_key(job.slug, job.preset, job.device) != job.fingerprint:
        raise UserError(
            f"{platform.node()} has another paperworks, or other packages for {job.slug}, than the machine that this "
            "was started on: install the same on every machine of the cluster"
        )


if __name__ == "__main__":
    sys.exit(child.main(refuse_other_source))
