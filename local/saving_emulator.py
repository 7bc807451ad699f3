"""The emulator, saving its state every few seconds: by itself it saves only when it ends.

It also runs few processes of a function at once: by itself it starts one for each request that
comes while others are answered, and a page that asks for ten things would start ten.

.local/tools/stack/bin/python -P local/saving_emulator.py
"""

import asyncio
import os
import resource
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as emulator
from ministack.core.persistence import save_all
from ministack.services import lambda_svc

SHORTEST_PAUSE_SECONDS = 5.0
PAUSE_PER_SAVE = 20  # nothing is answered during a save, so saving takes at most a twentieth
KEEP_ALIVE_SECONDS = 75
PROCESSES_OF_A_FUNCTION = 2
LONGEST_WAIT_SECONDS = 20.0
ASKED_EVERY_SECONDS = 0.003

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class Application:
    """The emulator's application, which notes whether there is anything new to save."""

    def __init__(self) -> None:
        self.is_changed = False

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await emulator.app(scope, receive, send)
        self.is_changed |= scope.get("method", "GET") != "GET"

    def save(self) -> None:
        """Save what is new, but nothing during a deployment: the state before can be deployed to.

        No request changes anything meanwhile, because requests run in this same thread.
        """
        if self.is_changed and not Path(os.environ["DEPLOYING"]).exists():
            self.is_changed = False
            save_all(emulator._build_persistence_save_dict())  # noqa: SLF001 - nothing public does it

    async def keep_saving(self) -> None:
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            self.save()
            pause = max(SHORTEST_PAUSE_SECONDS, PAUSE_PER_SAVE * (time.monotonic() - began))


acquire_worker = lambda_svc.acquire_worker


def wait_for_worker(name: str, *words: Any, **named: Any) -> Any:
    """A process of a function: a free one, a new one while they are few, or the next free one."""
    give_up = time.monotonic() + LONGEST_WAIT_SECONDS
    while time.monotonic() < give_up:
        worker, reason = acquire_worker(
            name, *words, **named, max_concurrency=PROCESSES_OF_A_FUNCTION
        )
        if worker:
            return worker, reason
        time.sleep(ASKED_EVERY_SECONDS)
    return acquire_worker(name, *words, **named)


def configuration() -> Config:
    config = Config()
    config.bind = [f"{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    return config


async def main() -> None:
    """Serve until SIGTERM; then save and end at once, whatever functions are still at work."""
    application, stop_requested = Application(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop_requested.set)
    serving = asyncio.create_task(
        serve(application, configuration(), shutdown_trigger=asyncio.Event().wait)
    )
    saving = asyncio.create_task(application.keep_saving())
    stopping = asyncio.create_task(stop_requested.wait())
    await asyncio.wait({serving, saving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        await asyncio.gather(serving, saving)  # one of them has failed, and says why
    application.save()
    os._exit(0)


if __name__ == "__main__":
    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    lambda_svc.acquire_worker = wait_for_worker
    asyncio.run(main())
