"""What do the files in deploy/ say, as far as a test can read them without systemd?"""

from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SERVICES = ("webhook", "daemon")

Unit = Mapping[str, list[str]]


def path_of(service: str) -> Path:
    """Name the file of a service."""
    return DEPLOY / "systemd" / f"stripe-reconciler-{service}.service"


def read(path: Path) -> Unit:
    """Return all values of each setting of a unit or drop-in, in their order."""
    settings: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            settings.setdefault(name, []).append(value)
    return settings


def credentials(unit: Unit) -> dict[str, str]:
    """Return the file of each credential by its name."""
    pairs = (each.partition(":") for each in unit["LoadCredential"])
    return {name: path for name, _, path in pairs}
