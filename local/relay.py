"""A door in the containers' network to the stack on loopback, open while somebody needs it."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from local.ports import LOOPBACK


@contextmanager
def relay(address: str, port: int) -> Iterator[int]:
    """Pass on whatever reaches `address` to a port of loopback. The port of the door."""

    class Pass(socketserver.BaseRequestHandler):
        """One connection, carried both ways until either side is done."""

        def handle(self) -> None:
            with socket.create_connection((LOOPBACK, port)) as inner:
                threading.Thread(target=_carry, args=(self.request, inner), daemon=True).start()
                _carry(inner, self.request)

    with _Door((address, 0), Pass) as door:
        threading.Thread(target=door.serve_forever, daemon=True).start()
        yield int(door.server_address[1])
        door.shutdown()


class _Door(socketserver.ThreadingTCPServer):
    """Closes without waiting for connections that a client keeps alive."""

    daemon_threads = True


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65_536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
