from django.urls import path

from sessions.consumers import SessionConsumer
from sessions.sockets import NotFound

websocket_urlpatterns = [
    path("ws/sessions/<uuid:code>/", SessionConsumer.as_asgi()),
    # Without a catch-all an unknown path is a server error with a traceback.
    path("<path:anything>", NotFound.as_asgi()),
]
