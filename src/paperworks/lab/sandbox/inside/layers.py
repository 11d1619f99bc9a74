"""The names of the walls, as parent and child call them."""

NAMESPACES = "namespaces"
OWN_USER = "own user"
LANDLOCK = "Landlock"
SECCOMP = "seccomp"
LIMITS = "limits"
