"""What does a person see when a command fails? One line with the mend, and a documented exit code."""

import sys
from collections.abc import Callable

import structlog

from reconciler.cli.context import Refused
from reconciler.cli.output import complain
from reconciler.config import SettingsError
from reconciler.db.migrate import SchemaMismatch
from reconciler.db.session import StatementFailed, StorageUnavailable
from reconciler.stripe_api.problems import StripeProblem


def guarded(command: Callable[[], None]) -> None:
    """Run one command and exit as the documentation says: 2 wrong use or settings, 3 failed, 130 Ctrl-C."""
    try:
        command()
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
    except StripeProblem as error:
        complain(f"Stripe: {error}")
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line for people, the rest for the log
        structlog.get_logger(__name__).exception("command.failed")
        complain(f"unexpected {type(error).__name__}; the log has the details")
        sys.exit(3)
