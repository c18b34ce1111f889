"""Is nothing written that is the app's own, and nothing done again and again, however odd the table?"""

from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from reconciler.db import queries
from reconciler.db.adopted import Unmappable, adopt
from reconciler.db.fitting import Description
from reconciler.db.session import Database, wait_no_more
from reconciler.poll import sweep_invoices
from reconciler.poll.invoices import LOOK_AGAIN
from tests.adoption import odd

PLAIN = "id integer PRIMARY KEY, currency text, amount_due integer, status text, payment_status text, paid_at text"
DESCRIBED = Description(table=odd.NAME, columns={"payment_status": "payment_status", "paid_at": ""})
SQLITE = pytest.mark.parametrize("dialect", ["sqlite"])
POSTGRESQL = pytest.mark.parametrize("dialect", ["postgresql"])


def _refusal(database: Database, described: Description) -> str:
    with database.reading() as tx, pytest.raises(Unmappable) as refused:
        adopt(tx, described)
    return str(refused.value)


def _runs(database: Database) -> list[tuple[object, object]]:
    with database.reading() as tx:
        return [(row["state"], row["objects"]) for row in queries.last_runs(tx)]


def test_it_refuses_a_key_that_two_rows_share(database: Database) -> None:
    """Two rows with one id would both become paid by one payment: such a key is no key, unless the filter makes it one."""
    columns = "number text, tenant integer, currency text, amount_due integer, status text"
    described = Description(table=odd.NAME, columns={"id": "number"})
    with odd.table(
        database, columns, "'F-1', 1, 'eur', 1000, 'open'", "'F-1', 2, 'eur', 500, 'open'"
    ):
        refused = _refusal(database, described)
        narrow = Description(table=odd.NAME, columns={"id": "number"}, only="tenant = 2")
        odd.pay(odd.account(database, narrow), "F-1", 500)
        paid = odd.rows(database, "tenant, status")

    assert "several rows of odd_invoices have 'F-1' in number" in refused
    assert paid == [(1, "open"), (2, "paid")]


def test_it_settles_the_others_when_two_rows_come_to_share_a_key(database: Database) -> None:
    """A key without a constraint may be given twice one day: those two rows are left alone, and every other is settled."""
    columns = "number text, currency text, amount_due integer, status text, payment_status text"
    described = Description(
        table=odd.NAME, columns={"id": "number", "payment_status": "payment_status"}
    )
    lines = [f"'F-{n}', 'eur', 1000, 'open', NULL" for n in (1, 2)]
    with odd.table(database, columns, *lines):
        account = odd.account(database, described)
        for key in ("F-1", "F-2"):
            odd.pay(account, key, 1000)
        where = "public." if database.dialect_name == "postgresql" else ""
        with database.writing() as tx:
            tx.execute(text(f"INSERT INTO {where}{odd.NAME} VALUES ({lines[0]})"))
            tx.execute(text(f"UPDATE {where}{odd.NAME} SET payment_status = 'failed'"))
        sweep_invoices(account.poller)
        found = odd.rows(database, "number, payment_status")

    assert sorted(found) == [("F-1", "failed"), ("F-1", "failed"), ("F-2", "paid")]
    assert {state for state, _ in _runs(database)} == {"done"}


@pytest.mark.parametrize("type_", ["numeric(10,2)", "double precision"])
def test_it_refuses_decimals_that_are_read_as_cents(database: Database, type_: str) -> None:
    """A column with decimals needs the word "decimal": else a hundredth of the price would pay an invoice."""
    columns = f"id integer PRIMARY KEY, currency text, amount_due {type_}, status text"
    with odd.table(database, columns, "1, 'eur', 240.00, 'open'"):
        refused = _refusal(database, Description(table=odd.NAME))

    assert 'is "minor", but amount_due is' in refused


def test_it_leaves_words_of_the_app_as_they_are(database: Database) -> None:
    """A word that only looks like one of ours, and no word at all, stay as they are beside our `payment_status`."""
    described = Description(
        table=odd.NAME,
        columns={**DESCRIBED.columns},
        words={"open": "pending", "paid": "settled"},
    )
    lines = ["1, 'eur', 1000, 'open', NULL, NULL", "2, 'eur', 1000, NULL, NULL, NULL"]
    lines += ["3, 'eur', 1000, 'paid', NULL, NULL", "4, 'eur', 1000, 'pending', NULL, NULL"]
    with odd.table(database, PLAIN, *lines):
        account = odd.account(database, described)
        for key in ("1", "2", "3", "4"):
            odd.pay(account, key, 1000)
        sweep_invoices(account.poller)
        found = odd.rows(database, "id, status, payment_status")

    assert found == [
        (1, "open", "paid"),
        (2, None, "paid"),
        (3, "paid", "paid"),
        (4, "settled", "paid"),
    ]


@SQLITE
def test_it_leaves_a_moment_of_the_apps_as_it_is_spelled(database: Database) -> None:
    """Our `payment_status` changes, and the app's own `paid_at` keeps each letter of it."""
    spelled = "2026-01-05T09:00:00.123Z"
    described = Description(table=odd.NAME, columns={"payment_status": "payment_status"})
    with odd.table(database, PLAIN, f"1, 'eur', 1000, 'paid', NULL, '{spelled}'"):
        odd.pay(odd.account(database, described), "1", 1000)
        found = odd.rows(database, "payment_status, paid_at")

    assert found == [("paid", spelled)]


def test_it_refuses_a_filter_by_what_it_writes(database: Database) -> None:
    """An invoice that drops out of sight once it is paid would lose its payment."""
    with odd.table(database, PLAIN, "1, 'eur', 1000, 'open', NULL, NULL"):
        refused = _refusal(
            database, Description(table=odd.NAME, columns=DESCRIBED.columns, only="status = 'open'")
        )

    assert "filter: must not ask for status, which is written" in refused


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"paye": "payée"}, "paye: is no word of ours; there are draft, open, paid"),
        ({"open": "sent", "paid": "sent"}, "'sent' can't mean both open and paid"),
    ],
)
def test_it_refuses_words_that_mean_nothing(
    database: Database, words: dict[str, str], told: str
) -> None:
    """A typo in a word would write ours into the app's column."""
    with odd.table(database, PLAIN):
        refused = _refusal(
            database, Description(table=odd.NAME, columns=DESCRIBED.columns, words=words)
        )

    assert told in refused


def test_it_writes_over_no_word_of_the_apps(database: Database) -> None:
    """A column that happens to be called like ours, and holds other words, is not ours until somebody says so."""
    with odd.table(database, PLAIN, "1, 'eur', 1000, 'open', 'captured', NULL"):
        refused = _refusal(database, Description(table=odd.NAME, columns={"paid_at": ""}))

    assert "payment_status: holds 'captured', which is no word of ours" in refused


@POSTGRESQL
def test_it_refuses_a_column_that_is_too_short(database: Database) -> None:
    """The longest of our words must fit, or the first partial refund would fail."""
    columns = "id integer PRIMARY KEY, currency text, amount_due integer, status text, payment_status varchar(10)"
    with odd.table(database, columns):
        refused = _refusal(database, Description(table=odd.NAME))

    assert "payment_status holds 10 letters, and our words need 18" in refused


def test_it_finds_nothing_to_do_in_a_table_without_our_columns(database: Database) -> None:
    """Where the app has none of the three columns, several settled invoices are not compared with each other."""
    described = Description(
        table=odd.NAME, columns={"status": "", "payment_status": "", "paid_at": ""}
    )
    with odd.table(database, PLAIN, *(f"{n}, 'eur', {n}00, 'open', NULL, NULL" for n in (1, 2, 3))):
        account = odd.account(database, described)
        for key in ("1", "2", "3"):
            odd.pay(account, key, int(key) * 100)
        sweep_invoices(account.poller)
        found = odd.rows(database, "status, payment_status")

    assert _runs(database) == [("done", 0)]
    assert found == [("open", None)] * 3


def test_it_does_not_fight_a_trigger(database: Database) -> None:
    """What the app's trigger undoes is told to a person, once, and written again only a day later."""
    with odd.table(database, PLAIN, "1, 'eur', 1000, 'open', NULL, NULL"):
        account = odd.account(database, DESCRIBED)
        with database.migrating() as tx:
            for statement in _undoing(database):
                tx.execute(text(statement))
        odd.pay(account, "1", 1000)
        for _ in range(3):
            sweep_invoices(account.poller)
        with database.reading() as tx:
            told = [row["subject"] for row in queries.open_exceptions(tx, now=account.now())]
            steps = len(queries.transitions_of(tx, {"1"}))
        runs = _runs(database)
        account.wait(LOOK_AGAIN.total_seconds() + 60)
        sweep_invoices(account.poller)
        with database.migrating() as tx:
            if database.dialect_name == "postgresql":
                tx.execute(text("DROP FUNCTION public.undo CASCADE"))

    assert told == ["invoice 1"]
    assert runs == [("done", 0)]
    assert steps < 8


def _undoing(database: Database) -> tuple[str, ...]:
    if database.dialect_name == "sqlite":
        when = f"AFTER UPDATE OF status ON {odd.NAME} WHEN NEW.status = 'paid'"
        undone = f"UPDATE {odd.NAME} SET status = 'open' WHERE id = NEW.id"
        return (f"CREATE TRIGGER undo {when} BEGIN {undone}; END",)
    body = "$$ BEGIN NEW.status := 'open'; RETURN NEW; END $$"
    when = f"BEFORE UPDATE ON public.{odd.NAME} FOR EACH ROW"
    return (
        f"CREATE FUNCTION public.undo() RETURNS trigger LANGUAGE plpgsql AS {body}",
        f"CREATE TRIGGER undo {when} EXECUTE FUNCTION public.undo()",
    )


@SQLITE
def test_it_reads_and_writes_milliseconds(database: Database) -> None:
    """Moments that a library keeps as milliseconds since 1970 are read so, and written so."""
    columns = "id integer PRIMARY KEY, currency text, amount_due integer, status text, paid_at datetime, created_at datetime"
    with odd.table(database, columns, "1, 'eur', 1000, 'open', NULL, 1700000000000"):
        account = odd.account(database, Description(table=odd.NAME))
        odd.pay(account, "1", 1000)
        [(paid_ms,)] = odd.rows(database, "paid_at")
        with database.reading() as tx:
            shown = queries.invoice(tx, "1", account.poller.inbox.policy.invoices) or {}

    assert isinstance(paid_ms, int)
    assert shown["paid_at"] == datetime.fromtimestamp(paid_ms / 1000, UTC)
    assert shown["created_at"] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("column", "value"), [("created_at", "'last week'"), ("paid_at", "''"), ("amount_due", "NULL")]
)
@SQLITE
def test_it_shows_a_row_that_is_not_whole(database: Database, column: str, value: str) -> None:
    """One row without a moment or an amount keeps no list of invoices from being shown."""
    names = "id integer PRIMARY KEY, currency text, amount_due integer, status text, paid_at text, created_at text"
    row = {"amount_due": "1000", "paid_at": "NULL", "created_at": "NULL", column: value}
    whole = f"1, 'eur', {row['amount_due']}, 'open', {row['paid_at']}, {row['created_at']}"
    with odd.table(database, names, whole, "2, 'eur', 1000, 'open', NULL, NULL"):
        account = odd.account(database, Description(table=odd.NAME))
        with database.reading() as tx:
            listed = queries.invoices(tx, account.poller.inbox.policy.invoices)

    assert {each["id"] for each in listed} == {"1", "2"}


@POSTGRESQL
def test_it_waits_once_for_a_table_that_is_held(database: Database, database_url: str) -> None:
    """While somebody alters the app's table, a batch of events costs one patient wait, and all come through later."""
    lines = [f"{n}, 'eur', 1000, 'open', NULL, NULL" for n in range(1, 5)]
    with odd.table(database, PLAIN, *lines):
        account = odd.account(database, DESCRIBED)
        for key in range(1, 5):
            odd.pay(account, str(key), 1000, told=False)
        with (
            psycopg.connect(database_url.replace("+psycopg", "")) as stranger,
            capture_logs() as log,
        ):
            stranger.execute(f"LOCK TABLE public.{odd.NAME}")
            account.tell(*(each.event for each in account.world.happenings))
        account.wait(3600)
        account.poller.inbox.retry_due(now=account.now())
        found = odd.rows(database, "status")

    assert {line["event"] for line in log} == {"event.failed"}
    assert found == [("paid",)] * 4


@POSTGRESQL
def test_it_loses_patience_only_for_one_transaction(database: Database) -> None:
    """After a row was held, nothing waits long for another one; the next transaction is as patient as ever."""
    with database.writing() as tx:
        wait_no_more(tx)
        hurried = tx.exec_driver_sql("SHOW lock_timeout").scalar_one()
    with database.writing() as tx:
        patient = tx.exec_driver_sql("SHOW lock_timeout").scalar_one()

    assert (hurried, patient) == ("50ms", "2s")


@pytest.mark.parametrize("made", ["infinity", "-infinity", "0044-03-15 BC", "20000-01-01"])
@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_it_reads_past_a_moment_that_python_has_not(
    database: Database, kind: str, made: str
) -> None:
    """What PostgreSQL takes for a moment and Python does not keeps neither its own row nor the others from being settled."""
    if database.dialect_name != "postgresql":
        pytest.skip("SQLite has no such type")
    columns = (
        "id integer PRIMARY KEY, currency text, amount_due integer, status text,"
        f" payment_status text, paid_at timestamptz, created_at {kind}"
    )
    whole, plain = (
        f"{id_},'eur',1000,'open',NULL,NULL,'{at}'" for id_, at in ((1, made), (2, "2026-01-01"))
    )
    with odd.table(database, columns, whole, plain):
        account = odd.account(database, odd.DESCRIBED)

        odd.pay(account, "1", 1000)
        odd.pay(account, "2", 1000)
        sweep_invoices(account.poller)

        assert odd.rows(database, "id, status") == [(1, "paid"), (2, "paid")]
