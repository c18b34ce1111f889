"""What can happen to the connections and to the server behind them, while nobody of ours dies?"""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import make_url

from tests.databases import PostgresServer
from tests.torture.ground import Ground
from tests.torture.outcome import Outcome
from tests.torture.proxy import Proxy
from tests.torture.storms import Blow, Storm, play

_STALL_S: Final = (0.2, 3.0)
_SWALLOWED_WITHIN_S: Final = 2.0


def play_plug(ground: Ground, seed: int, cycles: int, server: PostgresServer) -> Outcome:
    """Stop PostgreSQL at once, again and again, as a plug that is pulled would."""

    def pull(storm: Storm) -> str:
        server.stop("immediate")
        time.sleep(storm.chance.uniform(0.0, 0.3))
        server.start()
        # Let somebody get an answer before the next one.
        time.sleep(storm.chance.uniform(0.1, 0.6))
        return "immediate stop of PostgreSQL"

    return play(ground, seed, cycles, pull)


def play_proxies(ground: Ground, seed: int, cycles: int) -> Outcome:
    """Cut, stall and swallow what goes between us, the database and Stripe."""
    with (
        _between_us_and_database(ground) as database,
        Proxy(
            lambda: socket.create_connection(("127.0.0.1", ground.stripe_port)), question=b"GET "
        ) as stripe,
    ):
        way = f"http://127.0.0.1:{stripe.port}"
        outcome = play(ground, seed, cycles, _blow(database, stripe), by_way_of=way)
        if database is not None:
            outcome.add({"answers to COMMIT swallowed": database.swallowed})
        outcome.add({"answers of Stripe swallowed": stripe.swallowed})
        return outcome


@contextmanager
def _between_us_and_database(ground: Ground) -> Iterator[Proxy | None]:
    if ground.engine == "sqlite":
        yield None
        return
    url = make_url(ground.url)
    folder = str(url.query["host"])

    def connect() -> socket.socket:
        far = socket.socket(socket.AF_UNIX)
        far.connect(f"{folder}/.s.PGSQL.5432")
        return far

    with Proxy(connect, question=b"COMMIT") as proxy:
        through = url.set(host="127.0.0.1", port=proxy.port, query={"sslmode": "disable"})
        ground.url_for_programs = through.render_as_string(hide_password=False)
        try:
            yield proxy
        finally:
            ground.url_for_programs = ""


def _blow(database: Proxy | None, stripe: Proxy) -> Blow:
    proxies = {"Stripe": stripe} | ({"PostgreSQL": database} if database else {})

    def blow(storm: Storm) -> str:
        name = storm.chance.choice(sorted(proxies))
        proxy, mischief = proxies[name], storm.chance.choice(("cut", "stall", "swallow", "swallow"))
        if mischief == "cut":
            proxy.cut()
        elif mischief == "stall":
            seconds = storm.chance.uniform(*_STALL_S)
            proxy.stall(seconds)
            time.sleep(seconds)
        else:
            before, deadline = proxy.swallowed, time.monotonic() + _SWALLOWED_WITHIN_S
            proxy.swallow()
            while proxy.swallowed == before and time.monotonic() < deadline:
                time.sleep(0.01)
        return f"{mischief} between us and {name}"

    return blow
