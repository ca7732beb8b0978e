"""What the web part does while it is served: it watches the other parts as they watch it."""

from __future__ import annotations

import gc
from typing import Any

from backups_app.models import Part
from backups_app.watcher import Watcher, own_name


async def lifespan(_scope: Any, receive: Any, send: Any) -> None:
    """ASGI's lifespan protocol. Nothing here can keep the web part from coming up."""
    watcher = Watcher(own_name(Part.WEB), lambda: [Part.WEB])
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            _keep_out_of_collections()
            watcher.start()
            await send({"type": "lifespan.startup.complete"})
        else:
            watcher.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _keep_out_of_collections() -> None:
    """What was loaded stays: to look through it for garbage stops everything for 75 to 90 ms."""
    gc.collect()
    gc.freeze()
