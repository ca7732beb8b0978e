"""The ASGI application: HTTP by Django, WebSockets by Channels."""

from __future__ import annotations

import os
import warnings
from typing import Any, cast

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_project.settings")
http = get_asgi_application()
# WhiteNoise hands files on as plain iterators; ours are small, and Django may read them whole.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators")

from channels.auth import AuthMiddlewareStack  # noqa: E402  after Django is set up
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import re_path  # noqa: E402

from backups_app.body_limit import BodyLimit  # noqa: E402
from backups_app.consumer import JobsConsumer  # noqa: E402
from backups_app.lifespan import lifespan  # noqa: E402
from backups_app.origin import SameOrigin  # noqa: E402
from backups_app.proxies import TrustedProxies  # noqa: E402
from backups_app.remembered import Remembered  # noqa: E402

# Django's type of `re_path` knows views alone; Channels' routers take applications.
jobs: Any = re_path(r"^ws/backup/?$", cast(Any, JobsConsumer.as_asgi()))
routes = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": SameOrigin(AuthMiddlewareStack(URLRouter([jobs]))),
        "lifespan": lifespan,
    }
)
# The outermost knows requests by all their headers, so it need not know who a proxy speaks for.
application = Remembered(TrustedProxies(BodyLimit(routes), settings.TRUSTED_PROXIES))
