"""Ports of loopback: which are free, and which process holds the others."""

import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
LAST_PORT = 65_535


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
        return False


def holder(port: int) -> str:
    """Name and pid of the process that listens on a port, as far as /proc tells (Linux)."""
    inode = _listening_inode(port)
    for entry in Path("/proc").glob("[0-9]*") if inode else ():
        if _has_socket(entry, inode):
            return f"{(entry / 'comm').read_text().strip()} (pid {entry.name})"
    return "another program"


def _listening_inode(port: int) -> str:
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            columns = line.split()
            if columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == port:
                return columns[9]
    return ""


def _has_socket(process: Path, inode: str) -> bool:
    try:
        return any(str(fd.readlink()) == f"socket:[{inode}]" for fd in (process / "fd").iterdir())
    except OSError:
        return False
