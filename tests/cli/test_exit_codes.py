"""Does the real program say plainly what is wrong, in lines without a traceback, and leave with the documented code?"""

import pytest

from reconciler.db.session import open_database
from tests.cli.program import MODE, Answer, Program

SECRET = "whsec_canary0123456789"
AWAY = "postgresql://me:canary@127.0.0.1:1/books"


def complaints(answer: Answer) -> list[str]:
    """Return the lines of standard error, each of which must be an answer to the person."""
    lines = answer.err.splitlines()
    assert all(line.startswith("reconciler: ") for line in lines), answer.err
    return [line.removeprefix("reconciler: ") for line in lines]


@pytest.mark.parametrize("words", [("init",), ("serve",), ("doctor",), ("invoices", "list")])
def test_it_says_everything_that_is_wrong_with_the_settings(
    program: Program, words: tuple[str, ...]
) -> None:
    """All bad settings are told at once, a line each, before anything is touched."""
    program.configure('[stripe]\nmode = "tst"\n[webhook]\nlistn = ""\ntolerance_s = 0\n')

    answer = program.run(*words)

    assert answer.code == 2
    assert sorted(complaints(answer)) == [
        "config.toml: [stripe] mode: must be 'test' or 'live', not 'tst'",
        "config.toml: [webhook] listn: unknown key; did you mean listen?",
        "config.toml: [webhook] tolerance_s: must be between 1 and 3600, not 0",
    ]
    assert not (program.folder / "reconciler.db").exists()


@pytest.mark.parametrize("by_option", [True, False])
def test_it_refuses_settings_that_are_not_there(program: Program, by_option: bool) -> None:
    """A config file that was named must exist."""
    if by_option:
        answer = program.run("doctor", "--config", "gone.toml")
    else:
        answer = program.run("doctor", RECONCILER_CONFIG="gone.toml")

    assert answer.code == 2
    [line] = complaints(answer)
    assert line.startswith("gone.toml: ")


@pytest.mark.parametrize("words", [("init",), ("serve",)])
def test_it_needs_a_mode(program: Program, words: tuple[str, ...]) -> None:
    """Nobody guesses whether money is real."""
    program.configure("")

    answer = program.run(*words, STRIPE_WEBHOOK_SECRET=SECRET)

    assert answer.code == 2
    [line] = complaints(answer)
    assert line.startswith("[stripe] mode: is not set; write mode = ")


@pytest.mark.parametrize("secret", [None, "", "   ", ",", "whsec_", "canary0123456789"])
def test_it_does_not_serve_without_a_secret(program: Program, secret: str | None) -> None:
    """An endpoint that can't tell Stripe from a stranger never opens."""
    environ = {} if secret is None else {"STRIPE_WEBHOOK_SECRET": secret}

    answer = program.run("serve", **environ)

    assert answer.code == 2
    [line] = complaints(answer)
    assert line.startswith("STRIPE_WEBHOOK_SECRET: ")
    assert "canary" not in answer.everything


def serve(program: Program, url: str) -> Answer:
    """Try to serve on a database, with everything else in place."""
    return program.run("serve", STRIPE_WEBHOOK_SECRET=SECRET, DATABASE_URL=url)


@pytest.mark.parametrize("has_file", [False, True])
def test_it_names_init_where_the_tables_are_missing(program: Program, has_file: bool) -> None:
    """No file, or a file with no tables in it: one line that names the mend, and nothing is made by the way."""
    file = program.folder / "books.db"
    if has_file:
        open_database(f"sqlite:///{file}", create=True).close()
        file.touch()

    listed, served = (
        program.run("invoices", "list", DATABASE_URL="sqlite:///books.db"),
        serve(program, "sqlite:///books.db"),
    )

    for answer in (listed, served):
        assert answer.code == 3
        [line] = complaints(answer)
        assert "`reconciler init`" in line
    assert file.exists() == has_file


def test_it_says_that_the_server_is_away(program: Program) -> None:
    """A PostgreSQL that doesn't answer is one line, and its password isn't in it."""
    listed = program.run("invoices", "list", DATABASE_URL=AWAY)
    started = program.run("init", DATABASE_URL=AWAY)

    for answer in (listed, started, serve(program, AWAY)):
        assert answer.code == 3
        [line] = complaints(answer)
        assert line.startswith("the database: ")
        assert "canary" not in answer.everything


def test_it_refuses_what_is_no_database(program: Program) -> None:
    """An address of another kind is wrong use, not a failure."""
    answer = program.run("invoices", "list", DATABASE_URL="mysql://me:canary@localhost/books")

    assert answer.code == 2
    assert len(complaints(answer)) == 1
    assert "canary" not in answer.everything


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"], indirect=True)
def test_it_may_be_initialised_twice(program: Program, database_url: str, schema: str) -> None:
    """The second `init` finds everything there, says the same and loses nothing."""
    environ = {"DATABASE_URL": database_url, "RECONCILER_DATABASE__SCHEMA": schema}
    (program.folder / "one.csv").write_text("id,currency,amount_due\ninv_1,usd,1250\n")

    first = program.run("init", "--since", "2026-03-01", **environ)
    imported = program.run("invoices", "import", "one.csv", **environ)
    second = program.run("init", **environ)
    moved = program.run("init", "--since", "2026-04-01", **environ)
    listed = program.run("invoices", "list", **environ)

    assert (first.code, imported.code, second.code) == (0, 0, 0)
    assert first.out == second.out
    assert "Mode test; exceptions and notifications count from 2026-03-01 on.\n" in first.out
    assert "inv_1" in listed.out
    assert moved.code == 2
    assert "--since can't move it" in moved.err


def test_it_makes_the_database(program: Program) -> None:
    """After `init` in an empty folder, the other commands work."""
    started = program.run("init")

    assert started.code == 0
    assert "Still missing: STRIPE_WEBHOOK_SECRET: " in started.out
    assert "Still missing: STRIPE_API_KEY: " in started.out
    assert max(map(len, started.out.splitlines()[1:])) <= 80
    assert program.run("exceptions", "list").out == "Nothing needs a person.\n"


def test_it_never_mixes_modes(program: Program) -> None:
    """A database that was made for test money is never used with live money, by no command."""
    program.run("init")
    program.configure(MODE.replace("test", "live"))

    answers = [
        program.run(*words, STRIPE_WEBHOOK_SECRET=SECRET)
        for words in (("init",), ("serve",), ("invoices", "list"), ("verify",))
    ]

    for answer in answers:
        assert answer.code == 2
        assert "this database belongs to Stripe's test mode" in answer.err
        assert "Traceback" not in answer.err


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "01.03.2026"])
def test_it_refuses_what_is_no_day(program: Program, day: str) -> None:
    """A day that is not in the calendar changes nothing: no database is made."""
    answer = program.run("init", "--since", day)

    assert answer.code == 2
    assert complaints(answer) == [f"--since: {day!r} is no day; write it as 2026-03-01"]
    assert not (program.folder / "reconciler.db").exists()
