"""Run the program, as `reconciler` or as `python -m reconciler`."""

import sys


def main() -> None:
    """Run the command that the arguments name; Ctrl-C is one line from the first moment on."""
    try:
        from reconciler.cli import main as run  # noqa: PLC0415 - it takes half a second

        run()
    except KeyboardInterrupt:
        sys.stderr.write("reconciler: stopped before it began\n")
        sys.exit(130)


if __name__ == "__main__":  # A child of `up` imports this file too, and must not start again.
    main()
