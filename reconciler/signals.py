"""Which signals ask this program to end?"""

import signal


def ending() -> tuple[signal.Signals, ...]:
    """SIGTERM, and Ctrl-C unless the program was started deaf to it, as a shell starts a job in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return (signal.SIGTERM,)
    return (signal.SIGTERM, signal.SIGINT)
