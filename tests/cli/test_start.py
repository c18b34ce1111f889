"""Does a command begin without what it does not need, and end in one line though it was told to before it began?"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cli.program import ROOT

# Half a second of a command that shows a row would be theirs.
FOR_REPORTS = ("jinja2", "xlsxwriter")
# A stand-in for what takes long to load.
SLOW = "import pathlib, time\npathlib.Path('loading').touch()\ntime.sleep(30)\n"


def test_it_loads_what_writes_reports_only_to_write_one() -> None:
    """No command loads the libraries of the reports when it starts."""
    asked = f"import sys, reconciler.cli; print([m for m in {FOR_REPORTS!r} if m in sys.modules])"

    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


def test_it_ends_in_one_line_before_it_has_begun(tmp_path: Path) -> None:
    """Ctrl-C while the program is still being loaded is exit code 130 and no traceback."""
    (tmp_path / "typer.py").write_text(SLOW)
    running = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "--help"],
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        stderr=subprocess.PIPE,
        text=True,
    )
    until_s = time.monotonic() + 20
    while not (tmp_path / "loading").exists() and time.monotonic() < until_s:
        time.sleep(0.01)

    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=20)

    assert (running.returncode, err) == (130, "reconciler: stopped before it began\n")
