"""What the commands do; ``main`` says how they are called, and imports them when they are."""
