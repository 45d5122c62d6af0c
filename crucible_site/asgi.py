"""HTTP and sockets. The origin check stands outermost: a socket from another page never reaches a consumer."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crucible_site.settings")
django_application = get_asgi_application()

from sessions.routing import websocket_urlpatterns  # noqa: E402 - needs loaded apps
from sessions.sockets import same_origin_only  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": same_origin_only(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
