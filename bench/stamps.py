"""A provider whose every chunk carries the moment it was sent (CLOCK_MONOTONIC, nanoseconds), so that any process of this
machine can tell how long it took to get here. `tokens-N-every-M`: N chunks, one each M ms."""

import asyncio
import re
import time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
SHAPE = re.compile(rb"tokens-(\d+)-every-(\d+)")
MAX_SECONDS = 900


def chunk(data: bytes) -> bytes:
    event = b"data: " + data + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            shape = SHAPE.search(body)
            assert shape is not None
            await stream(writer, int(shape[1]), int(shape[2]) / 1000)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def stream(writer: asyncio.StreamWriter, count: int, interval: float) -> None:
    loop = asyncio.get_running_loop()
    writer.write(HEAD)
    begun = loop.time()
    for number in range(count):
        await asyncio.sleep(begun + number * interval - loop.time())
        text = b"<%d:%d>" % (number, time.monotonic_ns())
        writer.write(chunk(b'{"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}' % text))
    usage = b'"usage":{"prompt_tokens":100,"completion_tokens":%d}' % count
    writer.write(chunk(b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],%b}' % usage))
    writer.write(chunk(b"[DONE]") + b"0\r\n\r\n")
    await writer.drain()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(MAX_SECONDS)


if __name__ == "__main__":
    asyncio.run(main())
