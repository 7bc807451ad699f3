"""What a fork does with its memory and its words, and how it is waited for."""

import os
import resource
import select
import signal
import time
from typing import Final

IDLE_SECONDS: Final = 15
"""Who sleeps for so long waits for something that never comes."""
MORE_MEMORY: Final = 3 << 30


def limit_memory() -> None:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  a fork has no time
        pages = int(file.read().split()[0])
    most = pages * resource.getpagesize() + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def waited_for(child: int) -> tuple[int, resource.struct_rusage]:
    """The end of a fork, which is killed when it sleeps for long; its timer ends one that runs."""
    handle, now, idle = os.pidfd_open(child), "", 0
    try:
        while not select.select([handle], [], [], 1)[0]:
            before, now = now, used_by(child)
            idle = idle + 1 if now == before else 0
            if idle >= IDLE_SECONDS:
                os.kill(child, signal.SIGKILL)
    finally:
        os.close(handle)
    _, status, usage = os.wait4(child, 0)
    return status, usage


def used_by(child: int) -> str:
    """What a process has used of processors so far; never the same while it may run."""
    with open(f"/proc/{child}/stat", encoding="utf-8") as file:  # noqa: PTH123  as above
        fields = file.read().rpartition(")")[2].split()
    return str(time.monotonic()) if fields[0] == "R" else " ".join(fields[11:13])
