"""Rooms while people are in them: frames on sockets, delivery in order, presence, and help for the tutor."""
