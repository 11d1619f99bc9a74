"""What runs in the child: the walls, and the harness that runs the untrusted code within them.

The child imports this package by itself, on an interpreter without site-packages; so only the standard library here.
"""
