"""How does a person or a service manager talk to the program?

Every command is a thin shell: settings in, one call, words or JSON out. Exit codes: 0 fine, 1 a person is needed, 2 wrong
use or settings, 3 failed or incomplete, 130 Ctrl-C.
"""

from reconciler.cli import (
    assigning,
    books,
    demo,
    doctor,
    events,
    exceptions,
    explain,
    invoices,
    pruning,
    push,
    reconcile,
    refreshing,
    running,
    runs,
    setup,
    status,
    verifying,
)
from reconciler.cli.context import app
from reconciler.cli.guard import guarded

__all__ = [
    "assigning",
    "books",
    "demo",
    "doctor",
    "events",
    "exceptions",
    "explain",
    "invoices",
    "main",
    "pruning",
    "push",
    "reconcile",
    "refreshing",
    "running",
    "runs",
    "setup",
    "status",
    "verifying",
]


def main() -> None:
    """Run the command that the arguments name."""
    guarded(lambda: app(standalone_mode=True))
