"""On what machine, and beside what else, were the figures measured?"""

import os
import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from typing import Final

PACKAGES: Final = ("stripe", "msgspec", "SQLAlchemy", "psycopg")


def described() -> list[str]:
    """A few lines for whoever compares the figures with others."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    packages = [f"{name} {version(name)}" for name in PACKAGES if _is_there(name)]
    return [
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        ", ".join([python, f"SQLite {sqlite3.sqlite_version}", *packages]),
    ]


def load() -> str:
    """How many threads wanted a core in the last minute; what is beyond ours belongs to others."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "not known"


def _is_there(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
