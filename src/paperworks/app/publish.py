"""Putting a run's evidence into the source tree, so that it comes with the package."""

from __future__ import annotations

from pathlib import Path

from paperworks.core import Paper, UserError, paper
from paperworks.lab.disk import write_atomically

from . import environment, fingerprint
from .evidence import MAX_FILE_BYTES, Evidence
from .store import PUBLISHABLE, read_file, to_bytes


def publish(file: Path) -> Path:
    """Copy the evidence in ``file`` to the paper's folder of the source tree; the path that it has there.

    Raises UserError, in one sentence, where the file is no evidence, where the run was a smoke run, unfinished or
    failed, where it was made with other source than the tree's, lacks a claim or has one that was judged anew since,
    or where it is too big.
    """
    if environment.source_tree() is None:
        raise UserError("publish writes into the source tree, and this paperworks is installed without one")
    evidence = read_file(file)
    about = paper(evidence.slug)
    _require_publishable(evidence, about, file)
    data = to_bytes(evidence)
    if len(data) > MAX_FILE_BYTES:
        raise UserError(
            f"{file} has {len(data) / 1e6:.1f} MB, and a published file at most {MAX_FILE_BYTES / 1e6:.1f}: "
            "draw fewer points in its figures"
        )
    target = fingerprint.PACKAGE / evidence.slug / "evidence" / f"{evidence.preset}.json"
    write_atomically(target, data)
    return target


def _require_publishable(evidence: Evidence, about: Paper, file: Path) -> None:
    if evidence.preset not in PUBLISHABLE:
        raise UserError(
            f"a {evidence.preset} run is not published; publish one of {', '.join(PUBLISHABLE)}, e.g. after "
            f"`paperworks run {about.command} --preset quick`"
        )
    if evidence.state != "complete":
        raise UserError(f"{file} holds a {evidence.state} run; run it to its end first")
    now = fingerprint.source(evidence.slug, evidence.preset)
    if changed := [part for part in now if evidence.source.get(part) != now[part]]:
        raise UserError(f"{file} was made with other source than the tree's ({' and '.join(changed)}): run it again")
    if evidence.preset == "bench":
        return
    if stale := [claim.id for claim in about.claims if evidence.of(claim) is None]:
        raise UserError(f"{file} has no result for {', '.join(stale)} as judged today: run it again")
