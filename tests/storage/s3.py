"""A server that speaks S3, over real HTTP, and the line to it that can fail."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import ClientSession, web
from moto.server import ThreadedMotoServer

BUCKET: Final = "files-of-ours"


class Line:
    """Stands before the server that speaks S3 and does to the next requests what is in `faults`: a status with S3's code,
    `cut` (the answer ends in the middle) or `silent` (the line is closed).
    """

    def __init__(self, server: str) -> None:
        self.server = server
        self.endpoint = ""  # where to reach it by this line
        self.faults: list[str] = []

    async def serve(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.pop(0) if self.faults else ""
        assert request.transport is not None
        if fault == "silent":
            request.transport.abort()
            return web.Response()
        if fault and fault != "cut":
            status, code = fault.split()
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
            return web.Response(status=int(status), text=text, content_type="application/xml")
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        async with (
            ClientSession(auto_decompress=False) as http,
            http.request(
                request.method, self.server + request.raw_path, headers=headers, data=await request.read()
            ) as answer,
        ):
            body = await answer.read()
            kept = ("Content-Type", "ETag", "Last-Modified", "Content-Range", "Content-Length")
            shown = {name: answer.headers[name] for name in kept if name in answer.headers}
            response = web.StreamResponse(status=answer.status, headers=shown)
            await response.prepare(request)
            await response.write(body[: len(body) // 2] if fault == "cut" else body)
            if fault == "cut":
                await asyncio.sleep(0)
                request.transport.close()
            return response


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[Line]:
    """With one empty bucket, `BUCKET`."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        line = Line(f"http://{host}:{port}")
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", line.serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        line.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with ClientSession() as http:
            await http.post(f"{line.server}/moto-api/reset")  # all servers of a process share what they keep
            async with http.put(f"{line.server}/{BUCKET}") as made:
                assert made.status == 200
        try:
            yield line
        finally:
            await runner.cleanup()
    finally:
        server.stop()
