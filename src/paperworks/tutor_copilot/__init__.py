"""A room where tutor and student talk, expert moves for the tutor, and the trial that would measure them.

``paperworks tutor-copilot serve`` starts it. The same as an ASGI application, for a server of your own::

    from paperworks.tutor_copilot import Settings, create_app

    app = create_app(Settings(database="sqlite+aiosqlite:///tutor.db"))
"""

from paperworks.lab.public_api import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
