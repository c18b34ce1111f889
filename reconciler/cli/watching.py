"""How does a person see that a long run goes on? A line on the terminal's standard error; elsewhere the log tells."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from reconciler.reconcile.progress import Progress as Came


@contextmanager
def watched() -> Iterator[Callable[[Came], None] | None]:
    """Show how far a run has come while the block runs; None where nobody watches."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("asking Stripe", total=1.0)

        def told(came: Came) -> None:
            words = f"{came.objects} objects, {came.pages} pages, {came.requests} requests"
            shown.update(task, completed=came.covered_share, description=words)

        yield told
