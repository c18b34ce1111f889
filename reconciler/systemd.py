"""How does a service manager learn that a program is ready, alive, or about to end?

The protocol of sd_notify(3): one datagram of `NAME=value` lines to the socket that `$NOTIFY_SOCKET` names.
https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

import os
import socket
from contextlib import suppress
from typing import Final

_MICRO: Final = 1e-6
# A manager that does not read must not stop the program.
_WITHIN_S: Final = 1.0


def notify(**fields: str) -> bool:
    """Tell the manager, for example `READY="1"`; False where there is none or it does not listen."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    # A name that begins with @ is in the abstract namespace, where that place holds a NUL.
    where = address.replace("@", "\0", 1) if address.startswith("@") else address
    lines = (f"{name}={' '.join(value.split())}" for name, value in fields.items())
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.settimeout(_WITHIN_S)
        line.sendto("\n".join(lines).encode(errors="replace"), where)
        return True
    return False


def forget() -> None:
    """Keep the manager from this process and all that it starts: none of them may speak in the place of another."""
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        os.environ.pop(name, None)


def watchdog_s() -> float | None:
    """After how many seconds without a word the manager takes this process for dead; None if it does not watch."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    with suppress(ValueError):
        within_s = int(os.environ.get("WATCHDOG_USEC", "0")) * _MICRO
        return within_s if within_s > 0 else None
    return None
