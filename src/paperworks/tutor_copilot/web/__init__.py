"""The pages and the socket, as an ASGI application."""
