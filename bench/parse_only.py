"""The baseline of ingest: a FastAPI route that only parses the body. `python -m bench.parse_only PORT`

It runs in the services' own frame, so on the same uvicorn with uvloop and httptools, without access log and lifespan.
"""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack

import orjson
import uvloop
from fastapi import FastAPI, Request, Response

from shared.kit.service import Probes, serve

app = FastAPI()


@app.post("/v1/{kind}")
async def parse(kind: str, request: Request) -> Response:
    orjson.loads(await request.body())
    return Response(b'{"success":true}', media_type="application/json")


if __name__ == "__main__":
    Probes().install(app)
    sys.exit(uvloop.run(serve(app, host="127.0.0.1", port=int(sys.argv[1]), tasks={}, closing=AsyncExitStack())))
