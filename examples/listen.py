"""Follow the jobs of a Tarkeep: TOKEN=tk_… python examples/listen.py http://127.0.0.1:8000

Needs the package websockets. Ends when the connection does; a real client would come back after
a moment, and ask GET jobs/ID for the end of a job that it waits for.
"""

import json
import os
import sys

from websockets.sync.client import connect

address = sys.argv[1].replace("http", "ws", 1).rstrip("/") + "/ws/backup/"
headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
newest: dict[str, int] = {}  # job id -> greatest revision seen

with connect(address, additional_headers=headers) as socket:
    for text in socket:
        message = json.loads(text)
        for job in message.get("jobs") or [message["job"]] if message["type"] != "pong" else []:
            if job["revision"] >= newest.get(job["id"], 0):
                newest[job["id"]] = job["revision"]
                print(job["kind"], job["state"], job["phase"], job["progress"]["percent"])
                sys.stdout.flush()
