"""When an exit ticket counts as passed."""

PASS_MARK = 66.66
"""Percent, at least: mastery, in the main script of the paper's analysis (2.2)."""
