"""Whether everything wrong is said at once, a line each, with the place and the mend."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.config import SettingsError, load
from reconciler.config.sections import DEFAULTS, SECTIONS


def problems_of(
    text: str | bytes, folder: Path, environ: dict[str, str] | None = None
) -> list[str]:
    """Return the problems of a config.toml with this text, without the folder that it lies in."""
    file = folder / "config.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    try:
        load(file, environ or {})
    except SettingsError as error:
        problems = str(error).split("\n")
    else:
        return []
    assert all(problem.isprintable() for problem in problems)
    return [problem.replace(f"{folder}/", "") for problem in problems]


BAD_KEYS = [
    ("webhook", "tolerance_s = 0", "tolerance_s: must be between 1 and 3600, not 0"),
    ("webhook", "tolerance_s = 3601", "tolerance_s: must be between 1 and 3600, not 3601"),
    ("webhook", "tolerance_s = true", "tolerance_s: must be a whole number, not true"),
    ("webhook", "tolerance_s = 5.0", "tolerance_s: must be a whole number, not 5.0"),
    ("webhook", 'tolerance_s = "5"', "tolerance_s: must be a whole number, not '5'"),
    ("webhook", f"tolerance_s = 0x{'f' * 9000}", "tolerance_s: must be between 1 and 3600"),
    ("webhook", "tolerance_s = []", "tolerance_s: must be a whole number"),
    ("webhook", 'listn = ""', "listn: unknown key; did you mean listen?"),
    ("database", "batch = 0", "batch: must be between 1 and 200, not 0"),
    ("database", "batch = 201", "batch: must be between 1 and 200, not 201"),
    ("database", 'schema = "a;b"', "schema: must be lower-case letters, digits and underscores, not 'a;b'"),
    ("stripe", 'mode = "Live"', "mode: must be 'test' or 'live', not 'Live'"),
    ("stripe", 'requests_per_s = "many"', "requests_per_s: must be a number, not 'many'"),
    ("stripe", "requests_per_s = nan", "requests_per_s: must be between 0.1 and 100, not nan"),
    ("stripe", 'api_version = "latest"', "api_version: must look like \"2026-10-28.endive\", not 'latest'"),
    ("stripe", "connect_timeout_s = 11", "connect_timeout_s: must be between 0.1 and 10, not 11"),
    ("sweeps", "events_s = -1", "events_s: must be between 1 and 604800, not -1"),
    ("sweeps", 'night_utc = "24:00"', 'night_utc: must be a time of day from "00:00" to "23:59", not \'24:00\''),
    ("sweeps", "night_utc = 02:17:00", 'night_utc: must be a time of day from "00:00" to "23:59"'),
    ("sweeps", "events_overlap_s = 59", "events_overlap_s: events_overlap_s (59) must be at least events_s (60)"),
    ("sweeps", "events_s = 121", "events_s: events_overlap_s (120) must be at least events_s (121)"),
    ("sweeps", "events_deep_overlap_s = 899", "events_deep_overlap_s: events_deep_overlap_s (899) must be at least events_deep_s (900)"),
    ("invoices", 'payable = "open"', "payable: must be a list like [\"one\", \"two\"], not 'open'"),
    ("invoices", 'payable = ["open", 3]', "payable[1]: must be text in quotes, not 3"),
    ("invoices", 'payable = ["open", ""]', "payable[1]: must not be empty or begin or end with a blank, not ''"),
    ("invoices", 'columns = ["id"]', 'columns: must be a table like { ours = "theirs" }'),
    ("invoices", "columns = { id = 1 }", "columns[id]: must be text in quotes, not 1"),
    ("invoices", "table = 3", "table: must be text in quotes, not 3"),
    ("invoices", 'amounts = "cents"', "amounts: must be 'minor' or 'decimal', not 'cents'"),
    ("matching", 'since = "01.03.2026"', 'since: must be "" or a date like "2026-03-01", not \'01.03.2026\''),
    ("matching", 'since = "2026-02-30"', "since: must be a date of the calendar, not '2026-02-30'"),
    ("matching", "since = 2026-03-01T00:00:00Z", 'since: must be "" or a date like "2026-03-01"'),
    ("exceptions", "grace_s = -1", "grace_s: must be between 0 and 604800, not -1"),
    ("report", 'timezone = "Europe/Pari"', "timezone: must be a time zone like Europe/Paris, not 'Europe/Pari'"),
    ("report", 'timezone = "Europe"', "timezone: must be a time zone like "),
    ("report", 'timezone = "../../etc/passwd"', "timezone: must be a time zone like "),
    ("report", 'timezone = ""', "timezone: must be a time zone like Europe/Paris, not ''"),
    ("report", "timezone = 1", "timezone: must be a time zone like Europe/Paris, not 1"),
    ("report", f'timezone = "{"x" * 5000}"', "timezone: must be a time zone like Europe/Paris"),
    ("push", 'subject = "me@example.com"', "subject: must be \"\", \"mailto:...\" or \"https://...\", not 'me@example.com'"),
    ("push", "ttl_s = 0", "ttl_s: must be between 60 and 2419200, not 0"),
    ("push", 'allowed_hosts = ["*"]', 'allowed_hosts[0]: must be a host name in lower case, or "*." and a host name, not \'*\''),
    ("push", 'cors_origins = ["*"]', "cors_origins[0]: must be an origin like https://app.example.com, with no path, not '*'"),
    ("push", "dispute_notices = 1", "dispute_notices: must be true or false, not 1"),
    ("push", 'invoice_url = "http://app.example.com/{id}"', 'invoice_url: must be "", or like "https://app.example.com/invoices/{id}" or "/invoices/{number}", not '),
    ("push", 'invoice_url = "//app.example.com/{id}"', "invoice_url: must be"),
    ("push", 'invoice_url = "https://app.example.com"', "invoice_url: must be"),
    ("push", 'invoice_url = "javascript:alert(1)"', "invoice_url: must be"),
    ("push", 'invoice_url = "/{invoice}"', "invoice_url: must be"),
    ("push", 'invoice_url = "/a b"', "invoice_url: must be"),
    ("push", 'finance_users = [" "]', "finance_users[0]: must not be empty"),
    ("retention", "event_bodies_days = 7", "event_bodies_days: must be between 30 and 3650, not 7"),
    ("log", 'level = "loud"', "level: must be 'debug', 'info', 'warning' or 'error', not 'loud'"),
    ("log", 'level = "lo\\nud"', r"level: must be 'debug', 'info', 'warning' or 'error', not 'lo\nud'"),
    ("log", '"for\\nmat" = 1', r"for\nmat: unknown key; did you mean format?"),
    ("log", "color = true", "color: unknown key; [log] has format, level"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "line", "sentence"), BAD_KEYS)
def test_it_names_the_key_and_the_mend(
    section: str, line: str, sentence: str, tmp_path: Path
) -> None:
    """One bad line of the file gives one problem: file, section, key, what is wrong."""
    [problem] = problems_of(f"[{section}]\n{line}\n", tmp_path)

    assert problem.startswith(f"config.toml: [{section}] {sentence}")
    assert len(problem) < 200


@pytest.mark.parametrize(
    "address",
    [
        "localhost",
        ":3000",
        "localhost:",
        "localhost:65536",
        "::1:3000",
        "[1.2.3]:3000",
        "[::1]",
        "http://localhost:3000",
        "local host:1",
        "a:1\n",
    ],
)
def test_it_refuses_what_no_server_can_listen_on(address: str, tmp_path: Path) -> None:
    """A listen address has a host and a port, and IPv6 stands in brackets."""
    written = 'must be written "host:port" or "[IPv6 address]:port"'

    [metrics] = problems_of(f"[metrics]\nserve = {json.dumps(address)}\n", tmp_path)
    [webhook] = problems_of(f"[webhook]\nlisten = {json.dumps(address)}\n", tmp_path)

    assert f'serve: {written}, or "" for none, not' in metrics
    assert f"listen: {written}, not" in webhook


def test_it_can_listen_to_prometheus_nowhere_but_to_stripe(tmp_path: Path) -> None:
    """An empty address switches the metrics off, in as many processes as you like; the webhook needs one."""
    text = '[metrics]\nserve = ""\ndaemon = ""\n[webhook]\nlisten = ""\n'

    [problem] = problems_of(text, tmp_path)

    assert "[webhook] listen: must be written" in problem


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[webhok]\n", "config.toml: [webhok]: unknown section; did you mean webhook?"),
        ("[zzz]\n", "config.toml: [zzz]: unknown section"),
        (
            "listen = 1\n",
            "config.toml: listen: stands in no section; each key belongs below a line",
        ),
        ("webhook = 1\n", "config.toml: webhook: stands in no section"),
        ("[[webhook]]\n", "config.toml: webhook: stands in no section"),
        (
            "[log]\nlevel = \n",
            "config.toml: is not valid TOML: Invalid value (at line 2, column 9)",
        ),
        (
            "[log]\n[log]\n",
            "config.toml: is not valid TOML: Cannot declare ('log',) twice (at line 2",
        ),
        ("x = " + "[" * 50_000, "config.toml: is not valid TOML"),
        ("x = " + "1" * 5_000, "config.toml: is not valid TOML"),
        (b"\xff\xfe", "config.toml: is not text in UTF-8"),
    ],
)
def test_it_reports_a_file_it_cannot_make_sense_of(
    text: str | bytes, sentence: str, tmp_path: Path
) -> None:
    """What is wrong with the file as a whole is said in one line too."""
    [problem] = problems_of(text, tmp_path)

    assert problem.startswith(sentence)


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("RECONCILER_WEBHOK__LISTEN", "unknown variable; did you mean RECONCILER_WEBHOOK__LISTEN?"),
        ("RECONCILER_LOG_LEVEL", "unknown variable; did you mean RECONCILER_LOG__LEVEL?"),
        ("RECONCILER_CONFIGS", "unknown variable; did you mean RECONCILER_CONFIG?"),
        ("RECONCILER_STRIPE__API_KEY", "unknown variable; this secret is read from STRIPE_API_KEY"),
        ("RECONCILER_LOG__LEVEL", "must be 'debug', 'info', 'warning' or 'error', not 'nonsense'"),
        ("RECONCILER_DATABASE__BATCH", "must be a whole number, not 'nonsense'"),
    ],
)
def test_it_names_the_variable(variable: str, sentence: str, tmp_path: Path) -> None:
    """A problem with a variable begins with its name, not with the file's."""
    assert problems_of("", tmp_path, {variable: "nonsense"}) == [f"{variable}: {sentence}"]


@pytest.mark.parametrize(
    ("text", "environ", "sentence"),
    [
        ('[metrics]\nserve = "127.0.0.1:3000"', {}, "config.toml: [metrics] serve: [webhook] listen and"),
        ("", {"RECONCILER_METRICS__DAEMON": "127.0.0.1:9464"}, "RECONCILER_METRICS__DAEMON: [metrics] serve"),
    ],
)  # fmt: skip
def test_it_gives_each_listener_an_address_of_its_own(
    text: str, environ: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    """Metrics never share the webhook's port, nor two processes one port."""
    [problem] = problems_of(text, tmp_path, environ)

    assert problem.startswith(sentence)


def test_it_lets_listeners_share_a_port_that_the_system_chooses(tmp_path: Path) -> None:
    """Port 0 is another one each time."""
    text = '[metrics]\nserve = "127.0.0.1:0"\ndaemon = "127.0.0.1:0"\n'

    assert problems_of(text, tmp_path) == []


def test_it_reports_everything_at_once(tmp_path: Path) -> None:
    """A person mends all in one go: file, variables, secrets and contradictions together."""
    text = (
        "[webhok]\n[webhook]\ntolerance_s = 0\nlisten = 1\n"
        "[sweeps]\nmoney_s = 0\nevents_s = 600\n[log]\nlevle = 1\n[stripe]\napi_key_file = '/nowhere'\n"
    )
    environ = {"RECONCILER_X": "1", "DATABASE_URL": "oracle://x", "STRIPE_API_BASE": "ftp://x"}

    problems = problems_of(text, tmp_path, environ)

    for place in (
        "[webhok]",
        "[webhook] tolerance_s",
        "[webhook] listen",
        "[sweeps] money_s",
        "[sweeps] events_s: events_overlap_s",
        "[log] levle",
        "[stripe] api_key_file",
        "RECONCILER_X",
        "DATABASE_URL",
        "STRIPE_API_BASE",
    ):
        assert sum(place in problem for problem in problems) == 1, place
    assert len(problems) == 10


def test_it_still_reads_the_environment_beside_a_broken_file(tmp_path: Path) -> None:
    """A syntax error in the file hides nothing that is wrong elsewhere."""
    assert len(problems_of("[", tmp_path, {"RECONCILER_LOG__LEVEL": "loud"})) == 2


def test_it_does_not_blame_the_neighbour_of_a_bad_value(tmp_path: Path) -> None:
    """A contradiction is only reported between two values that are each good."""
    [problem] = problems_of('[sweeps]\nevents_s = "x"\nevents_overlap_s = 5\n', tmp_path)

    assert "events_s: must be a whole number" in problem


texts = st.text(max_size=20)
toml_values = st.recursive(
    st.booleans() | st.integers() | st.floats() | texts | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
keys = st.sampled_from(sorted({key for _, key in DEFAULTS})) | texts
sections = st.dictionaries(keys, toml_values, max_size=4) | toml_values
files = st.dictionaries(st.sampled_from(sorted(SECTIONS)) | texts, sections, max_size=4)
variables = st.sampled_from([f"RECONCILER_{section}__{key}".upper() for section, key in DEFAULTS])


def as_toml(value: object) -> str:
    """Write a value as TOML; for a few odd characters the result is not TOML, which is fine here."""
    match value:
        case dict():
            inner = (f"{json.dumps(key)} = {as_toml(item)}" for key, item in value.items())
            return "{" + ", ".join(inner) + "}"
        case list():
            return f"[{', '.join(map(as_toml, value))}]"
        case bool() | str():
            return json.dumps(value)
        case _:
            return str(value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=files, environ=st.dictionaries(variables, texts | toml_values.map(as_toml), max_size=3))
def test_it_never_fails_in_another_way(
    file: dict[str, object], environ: dict[str, str], tmp_path: Path
) -> None:
    """Whatever stands in file and environment, the answer is settings or a list of problems."""
    text = "\n".join(f"{json.dumps(name)} = {as_toml(value)}" for name, value in file.items())

    problems_of(text, tmp_path, environ)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_it_survives_any_file(content: bytes, tmp_path: Path) -> None:
    """A file of random bytes is a problem and no traceback."""
    problems_of(content, tmp_path)
