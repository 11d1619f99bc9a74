"""The tutor's help: from a conversation and strategies to suggestions, one a column. The rooms know only `request`."""
