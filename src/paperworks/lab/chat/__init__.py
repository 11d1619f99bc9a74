"""Chat models behind one interface: any OpenAI-compatible endpoint, any local transformers model, or a script.

>>> from paperworks.lab.chat import Budget, Chat, Scripted
>>> chat = Chat(Scripted(["Four.", "Still four."]), budget=Budget(tokens=1000))
>>> chat.blocking.ask("What is two and two?").text
'Four.'

The same with a server: ``Chat(Endpoint("some-model", base_url="http://127.0.0.1:8000/v1", api_key_env=None))``, and in
asynchronous code ``await chat.ask(...)``. `Chat` says what it does about failures, repeated questions and cost.
"""

from paperworks.lab.public_api import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
