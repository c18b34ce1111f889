"""Does the command for people run as the services, and still know who gave it?"""

import os
import subprocess
from pathlib import Path

import pytest

COMMAND = Path(__file__).parents[2] / "deploy" / "bin" / "stripe-reconciler"


@pytest.mark.parametrize(
    ("names", "who"),
    [({"SUDO_USER": "ann", "USER": "root"}, "ann"), ({"USER": "bob"}, "bob")],
)
def test_it_hands_on_who_decides(tmp_path: Path, names: dict[str, str], who: str) -> None:
    """A decision is written under the name of whoever called it, not under that of the services' user."""
    stand_in = tmp_path / "systemd-run"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stand_in.chmod(0o755)

    said = subprocess.run(
        ["/bin/sh", str(COMMAND), "exceptions", "list"],
        env={"PATH": f"{tmp_path}:{os.defpath}", **names},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    ).stdout.splitlines()

    assert f"--setenv=SUDO_USER={who}" in said
    assert said[-3:] == ["/opt/stripe-reconciler/bin/reconciler", "exceptions", "list"]
