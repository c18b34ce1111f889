"""`demo`: who plays, who watches, and how does it end?"""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console

from reconciler import logs
from reconciler.cli.context import Refused, app, connect, now, policy_of
from reconciler.cli.demo import verdict
from reconciler.cli.demo.board import WIDTH, Board
from reconciler.cli.demo.house import House, furnished, reconciler, theatre
from reconciler.cli.demo.ledger import Ledger
from reconciler.cli.status import PACE
from reconciler.config import load
from reconciler.core.observation import moment
from reconciler.db import events, migrate
from reconciler.simulator.faults import Rates
from reconciler.simulator.theatre import Begun, Billed, Made, Message, Played, Programme

SPEED: Final = 60
PLAYED_WITHIN_S: Final = 32
QUIET_WITHIN_S: Final = 20
# The stories' days are three quarters of a minute long, so that one of a month fits.
_DAY_MS: Final = 45_000
_OPENING_MS: Final = 6 * SPEED * 1000
_LOOK_S: Final = 0.25
_RATES: Final = Rates(
    lost=0.2, late=0.08, duplicated=0.1, reordered=0.1, twins=0.04, hidden=0.05, errors=0.01
)


@app.command()
def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the folder to look around in.")
    ] = False,
    payments: Annotated[int, typer.Option(min=1, max=500, help="How many stories to play.")] = 60,
    seed: Annotated[int, typer.Option(help="Which stories, and which faults.")] = 2026,
) -> None:
    """Play some sixty payments against a simulated Stripe that loses webhooks; needs no account."""
    asked = _leave_nothing_behind()
    width = None if sys.stdout.isatty() else WIDTH
    console = Console(file=sys.stdout, highlight=False, width=width)
    try:
        with furnished(keep=keep) as house:
            is_equal = _perform(console, house, _programme(house, payments, seed))
            for line in verdict.what_next(house.folder if keep else None):
                console.print(line)
    except Exception:
        # Ctrl-C ends the reconciler too, and an interrupt can be lost where an object is freed or a transaction undone.
        for number in asked:
            _obey(number)
        raise
    sys.exit(0 if is_equal else 1)


def _leave_nothing_behind() -> list[int]:
    """Let SIGTERM and a closed terminal end the demo as Ctrl-C does: its processes and its folder go first.

    Returns a list that will hold the signal that came.
    """
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    asked: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        for each in ends:
            # Impatience must not interrupt the tidying.
            signal.signal(each, signal.SIG_IGN)
        _obey(number)

    for each in ends:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, end)
    return asked


def _obey(number: int) -> NoReturn:
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


def _programme(house: House, payments: int, seed: int) -> Programme:
    # It ends about now: so long before it has to begin.
    ahead_ms = PLAYED_WITHIN_S * (SPEED - 1) * 1000
    return Programme(
        seed=seed,
        payments=payments,
        start_ms=int(time.time() * 1000) - ahead_ms,
        speed=SPEED,
        day_ms=_DAY_MS,
        opening_ms=_OPENING_MS,
        rates=_RATES,
        api_key=house.api_key,
        webhook_secret=house.webhook_secret,
    )


def _perform(console: Console, house: House, programme: Programme) -> bool:
    """Play, watch, and say how it ended; returns whether the books equal the truth."""
    console.print(
        "A simulated Stripe, the webhook and the daemon run on this machine; one second here is a"
        f" minute there. {programme.payments} payments are played; one webhook in five is lost."
    )
    with _ledger(house, programme) as ledger, theatre(programme) as (channel, opened):
        watch = _Watch(Board(console, PLAYED_WITHIN_S), ledger, channel)
        with watch.board.shown(), reconciler(house, opened.base_url) as watch.program:
            channel.send(house.webhook_url)
            played = watch.until_played()
            watch.until_quiet(played)
        return _conclude(console, watch, played)


@contextmanager
def _ledger(house: House, programme: Programme) -> Iterator[Ledger]:
    """The house's database, ready as `reconciler init --since DAY` would make it."""
    # The person's own environment may name another database, which must never become the demo's.
    settings = load(house.config, {})
    logs.configure(settings.log.format, settings.log.level)
    db = connect(settings, create=True)
    try:
        migrate.upgrade(db)
        with db.writing() as tx:
            events.settle_setting(tx, "mode", "test")
            events.settle_setting(tx, "since", moment(programme.start_ms).date().isoformat())
            events.settle_setting(tx, PACE, str(SPEED))
        yield Ledger(db, policy_of(settings, db))
    finally:
        db.close()


@dataclass
class _Watch:
    """Hears the simulated Stripe and looks into the database, and puts both on the board."""

    board: Board
    ledger: Ledger
    channel: Connection
    program: BaseProcess | None = None
    begun: Begun | None = None
    numbers: dict[str, str] = field(default_factory=dict)

    def until_played(self) -> Played:
        """Watch until the last story is told."""
        while True:
            played = self._hear(_LOOK_S)
            if played is not None:
                return played
            self._look()

    def until_quiet(self, played: Played) -> None:
        """Watch until nothing is left to be found, or for as long as anybody would wait."""
        self.board.tell("The last story is told; what is still missing is for the sweep to find.")
        deadline = time.monotonic() + QUIET_WITHIN_S
        while time.monotonic() < deadline and not self.ledger.is_quiet(played.last_event_ms):
            time.sleep(_LOOK_S)
            self._look()
        self._look()

    def _hear(self, patience_s: float) -> Played | None:
        """Take what the simulated Stripe has said since."""
        deadline = time.monotonic() + patience_s
        while (left_s := deadline - time.monotonic()) > 0 and self.channel.poll(left_s):
            message: Message = self.channel.recv()
            match message:
                case Begun():
                    self.begun = message
                    self.board.tell("Payments are made, fail, are refunded and disputed.")
                case Billed(invoice):
                    self.ledger.write_invoice(invoice, now())
                    self.numbers[invoice.id] = invoice.number
                case Made():
                    self.ledger.made[message.event_id] = message
                    self.board.made += 1
                    self.board.mishaps.update(message.mishaps)
                case Played():
                    return message
        return None

    def _look(self) -> None:
        if self.program is not None and not self.program.is_alive():
            raise Refused(
                "the reconciler ended; with --keep, reconciler.log in the folder says why", 3
            )
        if self.begun is None:
            return
        self.board.elapsed_s = datetime.now(UTC).timestamp() - self.begun.ours_s
        self.board.statuses = self.ledger.payment_statuses()
        self.board.add(self.ledger.look(self.begun), self.numbers)


def _conclude(console: Console, watch: _Watch, played: Played) -> bool:
    verdicts = watch.ledger.verdicts(played.truth)
    unmatched = watch.ledger.unmatched()
    arrivals = list(watch.ledger.arrived.values())
    console.print()
    verdict.show_verdicts(console, verdicts, played.titles)
    console.print()
    for line in [*verdict.summary(arrivals), *verdict.differences(verdicts)]:
        console.print(line)
    console.print(
        f"{len(unmatched)} payments belong to no invoice and wait for a person;"
        f" in truth it is {len(played.truth.unmatched)}."
    )
    is_equal = not verdict.differences(verdicts) and played.truth.unmatched == unmatched
    console.print(
        f"EQUAL: all {len(verdicts)} invoices are as they are at Stripe, to the cent."
        if is_equal
        else "NOT EQUAL: the books differ from the truth, as listed above.",
        style="bold green" if is_equal else "bold red",
    )
    return is_equal
