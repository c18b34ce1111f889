"""Whether the services do on a real Debian, installed as the manual says, what their units promise.

`make test-systemd` runs these tests, as root; otherwise they are skipped.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.deploy import manual
from tests.deploy.machine import REPOSITORY, Machine, booted, missing, wait_until
from tests.deploy.stripe_inside import ADDRESS, KEY
from tests.deploy.units import DEPLOY, ROOT, SERVICES

if not os.environ.get("RECONCILER_TEST_MACHINE"):
    pytest.skip("only by `make test-systemd`, as root", allow_module_level=True)

SECRET = "whsec_0123456789abcdef"
BOTH = " ".join(f"stripe-reconciler-{each}" for each in SERVICES)
STATE = "/var/lib/stripe-reconciler"
# The services' watchdog, and what a stop and a new start may take.
RESTARTED_WITHIN_S = 75

STRIPE_UNIT = """
[Service]
Type=notify
ExecStart=/opt/stripe-reconciler/bin/python /srv/stripe_inside.py
"""
STRIPE_DROP_IN = f"""
[Unit]
After=simulated-stripe.service
[Service]
EnvironmentFile={ADDRESS}
"""
WRONG_MODE = """
[Service]
Environment=RECONCILER_STRIPE__MODE=live
"""
ASKS = """
import http.client, ssl

trusting = ssl._create_unverified_context()
for method, path, size in [
    ("GET", "/healthz", 0),
    ("GET", "/metrics", 0),
    ("GET", "/api/webhooks/stripe", 0),
    ("POST", "/api/webhooks/stripe/", 0),
    ("POST", "/api/webhooks/stripe", 9),
    ("POST", "/api/webhooks/stripe", 2 * 1024**2),
]:
    asked = http.client.HTTPSConnection("127.0.0.1", 443, context=trusting)
    asked.request(method, path, b"x" * size)
    print(asked.getresponse().status)
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Give a machine on which the services were installed by the manual and run, with a Stripe beside them."""
    if lacking := missing():
        pytest.exit(lacking, returncode=1)
    with booted() as it:
        _install(it)
        yield it


def _install(machine: Machine) -> None:
    machine.put("/srv/stripe_inside.py", (ROOT / "tests/deploy/stripe_inside.py").read_text())
    machine.put("/etc/systemd/system/simulated-stripe.service", STRIPE_UNIT)
    machine.put(
        "/etc/systemd/system/stripe-reconciler-daemon.service.d/simulated.conf", STRIPE_DROP_IN
    )
    machine.put("/srv/invoices.csv", "number,currency,amount\nINV-1,eur,10.00\n")
    secrets = {"STRIPE_API_KEY": KEY, "STRIPE_WEBHOOK_SECRET": SECRET}
    program, settings, credentials, start, _ = manual.commands("Install", secrets)
    machine.run(f"cd {REPOSITORY}\n{program}")
    machine.run("systemctl start simulated-stripe")
    machine.run(f"cd {REPOSITORY}\n{settings}\n{credentials}\n{start}")
    machine.run("chmod 644 /srv/invoices.csv; stripe-reconciler invoices import /srv/invoices.csv")


def _all_are(machine: Machine, state: str) -> bool:
    return all(machine.shows(each)["ActiveState"] == state for each in SERVICES)


def _wait_for_new_start(machine: Machine, *, within_s: float, after: str) -> None:
    """Do something to both services, and wait until systemd has started both again."""
    before = _restarts(machine)
    machine.run(after)

    def are_back() -> bool:
        counts = _restarts(machine)
        return _all_are(machine, "active") and all(counts[it] > before[it] for it in SERVICES)

    wait_until(are_back, machine, within_s=within_s)


def _restarts(machine: Machine) -> dict[str, int]:
    return {service: int(machine.shows(service)["NRestarts"]) for service in SERVICES}


def _visit(machine: Machine, *arguments: str) -> "subprocess.Popen[str]":
    """Send a webhook inside the machine; see visitor.py."""
    command = [sys.executable, "-m", "tests.deploy.visitor", *arguments]
    return subprocess.Popen(
        machine.inside(command, network_only=True),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _status(machine: Machine, event_id: str, *more: str, secret: str = SECRET) -> str:
    said, _ = _visit(machine, f"--id={event_id}", f"--secret={secret}", *more).communicate(
        timeout=60
    )
    return said.strip()


def _stored(machine: Machine) -> set[str]:
    rows = json.loads(machine.run("stripe-reconciler events list --json"))
    return {row["id"] for row in rows}


def test_it_starts_both_services_as_their_user(machine: Machine) -> None:
    """Both are ready and enabled, run as the static user, and say what they do."""
    user = machine.run("id -u stripe-reconciler")

    for service in SERVICES:
        shown = machine.shows(service)
        owner = machine.run(f"stat -c %u /proc/{shown['MainPID']}")
        assert (shown["ActiveState"], shown["Type"]) == ("active", "notify")
        assert (shown["UnitFileState"], shown["NRestarts"]) == ("enabled", "0")
        assert owner == user != "0"
        assert shown["WatchdogUSec"] == "30s"
    assert machine.shows("webhook")["StatusText"] == "listens on 127.0.0.1:3000"
    assert machine.shows("daemon")["StatusText"] == "leads"


def test_it_makes_the_books_right(machine: Machine) -> None:
    """A payment of which no webhook tells is found, and its invoice is paid."""

    def is_paid() -> bool:
        invoice = json.loads(machine.run("stripe-reconciler invoices show INV-1 --json"))
        return bool(invoice["payment_status"] == "paid")

    wait_until(is_paid, machine, within_s=90)

    assert "0 problems" in machine.run("stripe-reconciler verify --rebuild")


def test_it_shows_a_service_only_its_own_secret(machine: Machine) -> None:
    """Although both have the same user, neither sees the other's secret; and nobody else sees either."""
    seen = {
        service: machine.run(
            f"nsenter --target={machine.shows(service)['MainPID']} --mount --"
            " find /run/credentials -type f -printf '%f %m\\n'"
        )
        for service in SERVICES
    }

    assert seen == {"webhook": "STRIPE_WEBHOOK_SECRET 400", "daemon": "STRIPE_API_KEY 400"}
    assert machine.run("find /etc/stripe-reconciler/credentials -perm /077") == ""


def test_it_can_write_nowhere_else(machine: Machine) -> None:
    """What a service sees of the machine is read-only but for its state, which others can't read."""
    main = machine.shows("daemon")["MainPID"]
    try_both = "touch /etc/x 2>/dev/null || touch /usr/x 2>/dev/null || echo refused"

    assert machine.run(f"nsenter --target={main} --mount -- sh -c '{try_both}'") == "refused"
    assert machine.run(f"stat -c '%a %U' {STATE} {STATE}/reconciler.db").splitlines() == [
        "750 stripe-reconciler",
        "600 stripe-reconciler",
    ]


def test_it_is_hardly_exposed_as_it_runs(machine: Machine) -> None:
    """On the machine, with all that is dropped in, systemd's own measure agrees with the one of the files."""
    for service in SERVICES:
        machine.run(f"systemd-analyze security --threshold=20 stripe-reconciler-{service}")


def test_it_survives_being_killed(machine: Machine) -> None:
    """After `kill -9` both are there again, and what got a 200 before is there too."""
    status = _status(machine, "evt_before")

    _wait_for_new_start(machine, after=f"systemctl kill --signal=KILL {BOTH}", within_s=30)

    assert status == "200"
    assert "evt_before" in _stored(machine)
    assert _status(machine, "evt_after") == "200"


def test_it_is_started_again_when_it_hangs(machine: Machine) -> None:
    """A service that stands still is ended by the watchdog, shows where it stood, and is started again."""
    _wait_for_new_start(
        machine, after=f"systemctl kill --signal=STOP {BOTH}", within_s=RESTARTED_WITHIN_S
    )

    for service in SERVICES:
        log = machine.run(f"journalctl --no-pager --output=cat -u stripe-reconciler-{service}")
        assert "Watchdog timeout" in log
        assert "Fatal Python error: Aborted" in log


def test_it_drains_at_a_stop(machine: Machine) -> None:
    """A webhook that was half sent when the stop came gets its 200, and the stop is no failure."""
    visit = _visit(machine, "--id=evt_half", f"--secret={SECRET}", "--in-two")
    assert visit.stdout is not None
    half = visit.stdout.readline()

    machine.run(f"systemctl stop --no-block {BOTH}")
    wait_until(lambda: machine.shows("webhook")["ActiveState"] == "deactivating", machine)
    status, _ = visit.communicate("go on\n", timeout=60)
    wait_until(lambda: _all_are(machine, "inactive"), machine)
    ends = [(it["Result"], it["ExecMainStatus"]) for it in map(machine.shows, SERVICES)]
    machine.run(f"systemctl start {BOTH}")

    assert (half, status) == ("half\n", "200\n")
    assert ends == [("success", "0")] * 2
    assert "evt_half" in _stored(machine)


def test_it_does_not_try_wrong_settings_again(machine: Machine) -> None:
    """With settings that contradict each other the daemon ends with 2, stays down, and its journal says why."""
    drop_in = "/etc/systemd/system/stripe-reconciler-daemon.service.d/wrong.conf"
    machine.put(drop_in, WRONG_MODE)

    machine.run("systemctl daemon-reload; systemctl restart stripe-reconciler-daemon || true")
    shown = machine.shows("daemon")
    log = machine.run("journalctl --no-pager --output=cat -n 20 -u stripe-reconciler-daemon")
    machine.run(f"rm {drop_in}; systemctl daemon-reload; systemctl start stripe-reconciler-daemon")

    assert (shown["ActiveState"], shown["SubState"]) == ("failed", "failed")
    assert (shown["ExecMainStatus"], shown["NRestarts"]) == ("2", "0")
    assert "STRIPE_API_KEY: is a test key, but [stripe] mode is live" in log


def test_it_hides_all_but_the_webhook_behind_the_proxy(machine: Machine) -> None:
    """The example is taken as it stands; a webhook passes, probes and metrics do not, nor does a large body."""
    machine.put(
        "/etc/nginx/conf.d/stripe-reconciler.conf",
        (DEPLOY / "nginx/stripe-reconciler.conf").read_text(),
    )
    machine.run(
        "mkdir -p /etc/ssl/reconciler; cd /etc/ssl/reconciler;"
        " openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=reconciler.example.com"
        " -keyout privkey.pem -out fullchain.pem; nginx -t; systemctl restart nginx"
    )
    machine.put("/srv/asks.py", ASKS)

    answers = machine.run("/opt/stripe-reconciler/bin/python /srv/asks.py").split()

    assert _status(machine, "evt_by_tls", "--port=443") == "200"
    assert answers == ["404", "404", "403", "404", "400", "413"]


def test_it_rotates_the_secret_as_the_manual_says(machine: Machine) -> None:
    """While both are given, deliveries signed with either are good; a third one's are not."""
    webhook, _ = manual.commands(
        "Rotate secrets", {"STRIPE_WEBHOOK_SECRET": f"whsec_new_0123456789,{SECRET}"}
    )

    machine.run(webhook)

    assert _status(machine, "evt_old_secret") == "200"
    assert _status(machine, "evt_new_secret", secret="whsec_new_0123456789") == "200"
    assert _status(machine, "evt_no_secret", secret="whsec_other_0123456789") == "400"


def test_it_is_upgraded_and_restored_as_the_manual_says(machine: Machine) -> None:
    """A backup made while all runs brings back what was stored then, and not what came later."""
    backup, restore, _, _ = manual.commands("Back up and restore")
    (upgrade,) = manual.commands("Upgrade")
    _status(machine, "evt_in_backup")

    machine.run(backup)
    _status(machine, "evt_after_backup")
    machine.run(f"cd {REPOSITORY}\n{upgrade}")
    kept = _stored(machine)
    machine.run(restore)

    assert {"evt_in_backup", "evt_after_backup"} <= kept
    assert _stored(machine) == kept - {"evt_after_backup"}
    assert _all_are(machine, "active")


def test_it_runs_on_postgresql_as_the_manual_says(machine: Machine) -> None:
    """With the drop-in both services work on the server's own tables; these, too, are backed up and restored."""
    *_, postgresql = manual.commands("Install")
    _, _, backup, restore = manual.commands("Back up and restore")

    machine.run(f"systemctl stop {BOTH}; cd {REPOSITORY}\n{postgresql}")
    machine.run(f"stripe-reconciler init; systemctl start {BOTH}")
    statuses = [_status(machine, "evt_in_dump")]
    machine.run(backup)
    statuses.append(_status(machine, "evt_after_dump"))
    kept = _stored(machine)
    machine.run(restore)

    assert statuses == ["200", "200"]
    assert {"evt_in_dump", "evt_after_dump"} <= kept
    assert "evt_in_backup" not in kept
    assert _stored(machine) == kept - {"evt_after_dump"}
    assert _all_are(machine, "active")
