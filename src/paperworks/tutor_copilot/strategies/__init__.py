"""Which strategies a tutor's message uses: a small classifier, what it learns from, and what it is tested on."""
