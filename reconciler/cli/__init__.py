"""How does a person or a service manager talk to the program?

Every command is a thin shell: settings in, one call, words or JSON out. Exit codes: 0 fine, 1 a person is needed, 2 wrong
use or settings, 3 failed or incomplete, 130 Ctrl-C.
"""

import sys

import structlog

from reconciler.cli import books, doctor, events, exceptions, explain, invoices, setup
from reconciler.cli.context import Refused, app
from reconciler.cli.output import complain
from reconciler.config import SettingsError
from reconciler.db.migrate import SchemaMismatch
from reconciler.db.session import StatementFailed, StorageUnavailable

__all__ = ["books", "doctor", "events", "exceptions", "explain", "invoices", "main", "setup"]


def main() -> None:
    """Run one command; every failure is one line with the mend, and its documented exit code."""
    try:
        app(standalone_mode=True)
    except SettingsError as error:
        for problem in error.problems:
            complain(problem)
        sys.exit(2)
    except Refused as error:
        complain(str(error))
        sys.exit(error.code)
    except SchemaMismatch as error:
        complain(str(error))
        sys.exit(3)
    except (StorageUnavailable, StatementFailed) as error:
        complain(f"the database: {error}")
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line for people, the rest for the log
        structlog.get_logger(__name__).exception("command.failed")
        complain(f"unexpected {type(error).__name__}; the log has the details")
        sys.exit(3)
