"""Run the program as `python -m reconciler`."""

from reconciler.cli import main

if __name__ == "__main__":  # A child of `up` imports this file too, and must not start again.
    main()
