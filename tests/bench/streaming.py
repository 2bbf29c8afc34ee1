"""Reads event streams as so many browsers do: `python -m bench.streaming URL COUNT`.

Prints a line when every stream has brought its first event, and one with the number of events at the end of its input.
"""

import asyncio
import sys

import httpx


async def main(url: str, count: int) -> None:
    """Read until standard input ends."""
    events = 0
    begun = asyncio.Semaphore(0)

    async def read(client: httpx.AsyncClient) -> None:
        nonlocal events
        async with client.stream("GET", url, headers={"Accept": "text/event-stream"}) as answer:
            answer.raise_for_status()
            first = True
            async for line in answer.aiter_lines():
                if line.startswith("event:"):
                    events += 1
                    if first:
                        first = False
                        begun.release()

    limits = httpx.Limits(max_connections=count)
    async with httpx.AsyncClient(timeout=None, limits=limits, trust_env=False) as client:
        readers = [asyncio.create_task(read(client)) for _ in range(count)]
        for _ in readers:
            await begun.acquire()
        print("reading", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    print(events, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
