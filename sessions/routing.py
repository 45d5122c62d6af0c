from django.urls import path, re_path

from sessions.consumers import SessionConsumer
from sessions.inbox_socket import InboxConsumer
from sessions.sockets import refuse

websocket_urlpatterns = [
    path("ws/sessions/<uuid:code>/", SessionConsumer.as_asgi()),
    path("ws/inbox/", InboxConsumer.as_asgi()),
    # Without a catch-all an unknown path is a server error with a traceback.
    re_path("", refuse),  # type: ignore[arg-type]
]
