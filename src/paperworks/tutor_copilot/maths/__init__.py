"""School mathematics: the problem in a message, its exact answer, and which mistake leads to a given wrong one.

Rules, not a language model: what they do not know they say they do not know.
"""
