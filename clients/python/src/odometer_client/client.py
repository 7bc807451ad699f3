"""`Client` and `AsyncClient`: the operations of the API, carried out.

with Client() as client:                    # ODOMETER_URL, ODOMETER_KEY
    usage = client.usage(kind="chat", period="28d", group_by="team")
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

import httpx

from odometer_client import operations
from odometer_client.conversation import Answered, Came, Retry, Send, Wait, conversation
from odometer_client.operations import Call, page_after
from odometer_client.settings import TIMEOUT_SECONDS, USER_AGENT, address, bearer

if TYPE_CHECKING:
    from typing_extensions import Self

P = ParamSpec("P")
T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])


def described_by(operation: Callable[..., Any], method: Method) -> Method:
    """Give a method the name, description and parameters of the operation that it carries out."""
    own = inspect.signature(operation)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__name__, method.__doc__ = operation.__name__, operation.__doc__
    vars(method)["__signature__"] = own.replace(parameters=[itself, *own.parameters.values()])
    return method


def blocking(operation: Callable[P, Call[T]]) -> Callable[Concatenate[Client, P], T]:
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.ask(operation(*args, **kwargs))[0]

    return described_by(operation, method)


def pages(operation: Callable[P, Call[T]]) -> Callable[Concatenate[Client, P], Iterator[T]]:
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        call: Call[T] | None = operation(*args, **kwargs)
        while call:
            result, response = self.ask(call)
            yield result
            call = page_after(call, result, response)

    return described_by(operation, method)


def joined(
    operation: Callable[P, Call[list[T]]],
) -> Callable[Concatenate[Client, P], list[T]]:
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> list[T]:
        return [row for page in pages(operation)(self, *args, **kwargs) for row in page]

    return described_by(operation, method)


def awaited(
    operation: Callable[P, Call[T]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return (await self.ask(operation(*args, **kwargs)))[0]

    return described_by(operation, method)


def async_pages(
    operation: Callable[P, Call[T]],
) -> Callable[Concatenate[AsyncClient, P], AsyncIterator[T]]:
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        call: Call[T] | None = operation(*args, **kwargs)
        while call:
            result, response = await self.ask(call)
            yield result
            call = page_after(call, result, response)

    return described_by(operation, method)


def async_joined(
    operation: Callable[P, Call[list[T]]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, list[T]]]:
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> list[T]:
        found = async_pages(operation)(self, *args, **kwargs)
        return [row async for page in found for row in page]

    return described_by(operation, method)


class Client:
    """The API with a key; one client may be used by several threads."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        retry: Retry | None = None,
        timeout: float = TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url, self.retry = address(url), retry or Retry()
        self._http = httpx.Client(
            auth=bearer(key),
            timeout=timeout,
            headers={"User-Agent": USER_AGENT},
            transport=transport,
        )

    def ask(self, call: Call[T]) -> Answered[T]:
        """Carry out a call: its result, and the response that it came in."""
        talk, came = conversation(call, self.url, self.retry), None
        try:
            while True:
                came = self._do(talk.send(came))
        except StopIteration as end:
            return cast("Answered[T]", end.value)

    def _do(self, step: Send | Wait) -> Came:
        if isinstance(step, Wait):
            time.sleep(step.seconds)
            return None
        try:
            return self._http.request(**vars(step))
        except httpx.RequestError as error:
            return error

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    usage = blocking(operations.usage)
    usage_pages = pages(operations.usage)
    seats = blocking(operations.seats)
    seats_pages = pages(operations.seats)
    me = blocking(operations.me)
    coverage = blocking(operations.coverage)
    explain = blocking(operations.explain)
    explain_pages = pages(operations.explain)
    send = blocking(operations.send)
    export_directory = blocking(operations.export_directory)
    export_directory_pages = pages(operations.export_directory)
    put_directory = blocking(operations.put_directory)
    erase_user = blocking(operations.erase_user)
    list_keys = joined(operations.list_keys)
    create_key = blocking(operations.create_key)
    rotate_key = blocking(operations.rotate_key)
    revoke_key = blocking(operations.revoke_key)
    create_embed_token = blocking(operations.create_embed_token)


class AsyncClient:
    """The same for asyncio: results are awaited, pages are iterated with `async for`."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        retry: Retry | None = None,
        timeout: float = TIMEOUT_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url, self.retry = address(url), retry or Retry()
        self._http = httpx.AsyncClient(
            auth=bearer(key),
            timeout=timeout,
            headers={"User-Agent": USER_AGENT},
            transport=transport,
        )

    async def ask(self, call: Call[T]) -> Answered[T]:
        """Carry out a call: its result, and the response that it came in."""
        talk, came = conversation(call, self.url, self.retry), None
        try:
            while True:
                came = await self._do(talk.send(came))
        except StopIteration as end:
            return cast("Answered[T]", end.value)

    async def _do(self, step: Send | Wait) -> Came:
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return await self._http.request(**vars(step))
        except httpx.RequestError as error:
            return error

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self.url!r})"

    usage = awaited(operations.usage)
    usage_pages = async_pages(operations.usage)
    seats = awaited(operations.seats)
    seats_pages = async_pages(operations.seats)
    me = awaited(operations.me)
    coverage = awaited(operations.coverage)
    explain = awaited(operations.explain)
    explain_pages = async_pages(operations.explain)
    send = awaited(operations.send)
    export_directory = awaited(operations.export_directory)
    export_directory_pages = async_pages(operations.export_directory)
    put_directory = awaited(operations.put_directory)
    erase_user = awaited(operations.erase_user)
    list_keys = async_joined(operations.list_keys)
    create_key = awaited(operations.create_key)
    rotate_key = awaited(operations.rotate_key)
    revoke_key = awaited(operations.revoke_key)
    create_embed_token = awaited(operations.create_embed_token)
