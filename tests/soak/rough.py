"""`python -m tests.soak.rough UPSTREAM SEED`: a proxy before a bucket where now and then something
goes wrong. Prints its address, and ends with its parent.

What it does to a request leaves no trace that nobody could know of: an upload, say, is never begun
without an answer.
"""

from __future__ import annotations

import random
import sys
from threading import Lock

from tests.support.fault_proxy import Answer, Fault, FaultProxy, Request

SHARE = 0.04  # of all requests
_BODY = b"<Error><Code>SlowDown</Code><Message>busy</Message></Error>"
BUSY = Answer(503, [("Content-Type", "application/xml")], _BODY)


class Rough(FaultProxy):
    def __init__(self, upstream: str, seed: int) -> None:
        self._dice, self._throwing = random.Random(seed), Lock()
        super().__init__(upstream)

    def fault_for(self, request: Request) -> Fault:
        with self._throwing:
            if self._dice.random() > SHARE:
                return Fault(request.method)
            return self._dice.choice(list(self._choice(request)))

    def _choice(self, request: Request) -> list[Fault]:
        method = request.method
        faults = [Fault(method, instead=BUSY)]
        if "partNumber=" in request.path:
            faults += [Fault(method, reset=self._dice.randrange(2**20)), Fault(method, cut=-1)]
        elif method == "POST" and "uploadId=" in request.path:
            faults += [Fault(method, cut=-1), Fault(method, drip=0.01)]
        elif method == "GET":
            faults += [Fault(method, cut=self._dice.randrange(2**16))]
        return faults


def main(upstream: str, seed: int) -> None:
    print(Rough(upstream, seed).endpoint, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
