"""What the service manager is told, if there is one: that the daemon is ready, that it lives, that it ends.

The protocol of systemd's sd_notify(3): a datagram of NAME=VALUE lines to the socket that $NOTIFY_SOCKET names.
"""

import os
import socket


def notify(*states: str) -> None:
    """Tell the service manager; does nothing where there is none. A manager that does not listen is no reason to stop."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    # A leading @ stands for the zero byte of an abstract socket.
    path = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto("\n".join(states).encode(), path)
    except OSError:
        return


def watchdog() -> float | None:
    """Seconds within which the manager wants to hear that the daemon lives; None where it does not ask."""
    pid, wanted = os.environ.get("WATCHDOG_PID", ""), os.environ.get("WATCHDOG_USEC", "")
    if not wanted.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(wanted) / 1e6
