"""Whether systemd understands the units, what they allow, and whether all that they name is there."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer

from reconciler.cli import app
from reconciler.config.sources import CONFIG_VARIABLE, SECRET_NAMES
from tests.deploy.units import DEPLOY, ROOT, SERVICES, credentials, path_of, read
from webhook.app import STRIPE_PATH

DROP_IN = DEPLOY / "systemd/stripe-reconciler-.service.d/postgresql.conf.example"
DROP_INS = tuple(sorted(DEPLOY.glob("systemd/*.service.d/*.conf.example")))
PROGRAM = "/opt/stripe-reconciler/bin/reconciler"
# Tenths: 2.0 of 10, where 10 is a service without any protection.
EXPOSURE_MAX = 20


def _asked(folder: Path, *question: str) -> "subprocess.CompletedProcess[str]":
    """Ask systemd about the units, in a folder where the program that they start is there."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for service in SERVICES:
        text = path_of(service).read_text().replace(PROGRAM, "/bin/true")
        (folder / path_of(service).name).write_text(text)
    for each in DROP_INS:
        dropped_in = folder / each.parent.name / each.stem
        dropped_in.parent.mkdir()
        dropped_in.write_text(each.read_text())
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *question],  # noqa: S607 - wherever it is installed
        cwd=folder,
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("service", SERVICES)
def test_it_is_understood_by_systemd(tmp_path: Path, service: str) -> None:
    """No line of a unit or its drop-in makes systemd complain; of one that it does not know it would only warn."""
    done = _asked(tmp_path, "verify", "--man=no", str(tmp_path / path_of(service).name))

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_it_is_hardly_exposed(tmp_path: Path, service: str) -> None:
    """By systemd's own measure a service that was broken into can do little."""
    unit = str(tmp_path / path_of(service).name)

    done = _asked(tmp_path, "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", unit)

    assert done.returncode == 0, done.stdout + done.stderr


def test_it_runs_both_services_alike() -> None:
    """User, state directory, restarts and protection are the same; what differs is named here."""
    webhook, daemon = (read(path_of(service)) for service in SERVICES)

    differ = {key for key in {*webhook, *daemon} if webhook.get(key, []) != daemon.get(key, [])}

    assert differ == {
        "Description",
        "ExecStart",
        "LoadCredential",
        "IPAddressAllow",
        "IPAddressDeny",
    }


def test_it_gives_each_service_no_secret_but_its_own() -> None:
    """The webhook has no API key and the daemon no signing secret; only PostgreSQL brings one for both."""
    folder = "/etc/stripe-reconciler/credentials"

    given = [credentials(read(path)) for path in (path_of("webhook"), path_of("daemon"), DROP_IN)]

    assert given == [
        {"STRIPE_WEBHOOK_SECRET": f"{folder}/STRIPE_WEBHOOK_SECRET"},
        {"STRIPE_API_KEY": f"{folder}/STRIPE_API_KEY"},
        {"DATABASE_URL": f"{folder}/DATABASE_URL"},
    ]
    assert {name for each in given for name in each} <= {each.variable for each in SECRET_NAMES}


@pytest.mark.parametrize("drop_in", DROP_INS, ids=lambda path: path.name)
def test_it_says_where_a_drop_in_belongs(drop_in: Path) -> None:
    """Each example names the place for which it is meant."""
    assert f"/etc/systemd/system/{drop_in.parent.name}/{drop_in.stem}" in drop_in.read_text()


def test_it_opens_only_the_webhook_to_a_dns_server() -> None:
    """What push needs of DNS is a line of addresses for the webhook: the daemon may talk to all of the internet anyway."""
    [path] = (each for each in DROP_INS if each.stem == "dns.conf")

    assert path.parent.name == f"{path_of('webhook').name}.d"
    assert set(read(path)) == {"IPAddressAllow"}
    assert "IPAddressDeny" in read(path_of("webhook"))
    assert "IPAddressDeny" not in read(path_of("daemon"))


def test_it_has_a_user_who_owns_the_state_directory() -> None:
    """The user that sysusers makes is the one of the services, at home where their state is."""
    (line,) = (
        line
        for line in (DEPLOY / "sysusers.d/stripe-reconciler.conf").read_text().splitlines()
        if not line.startswith("#")
    )
    unit = read(path_of("webhook"))

    kind, name, number, *_, home = line.split()

    assert (kind, number) == ("u", "-")
    assert unit["User"] == unit["Group"] == [name]
    assert unit["StateDirectory"] == [home.removeprefix("/var/lib/")]
    assert unit["WorkingDirectory"] == [home.replace("/var/lib", "%S")]


def test_it_names_only_what_is_there() -> None:
    """The commands and the variable of the settings are those of the program."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    started = [read(path_of(service))["ExecStart"] for service in SERVICES]

    assert started == [[f"{PROGRAM} serve"], [f"{PROGRAM} daemon"]]
    assert {"serve", "daemon"} <= set(commands)
    for service in SERVICES:
        file = f"{CONFIG_VARIABLE}=/etc/stripe-reconciler/config.toml"
        assert read(path_of(service))["Environment"][0] == file


def test_it_lets_only_the_webhook_through_the_proxy() -> None:
    """The example hands on one path with our limit of size, to where the webhook listens by default."""
    proxy = (DEPLOY / "nginx/stripe-reconciler.conf").read_text()
    live = "\n".join(line for line in proxy.splitlines() if not line.lstrip().startswith("#"))
    settings = tomllib.loads((ROOT / "config.toml").read_text())["webhook"]

    passed = re.findall(r"location = (\S+) \{(?:[^{}]|\{[^{}]*\})*proxy_pass (\S+);", live)

    assert passed == [(STRIPE_PATH, f"http://{settings['listen']}")]
    assert live.count("proxy_pass") == 1
    assert f"client_max_body_size {settings['max_body_bytes'] // 1024**2}m;" in live


def test_it_is_all_in_the_manual() -> None:
    """Whoever installs it by the manual leaves no file of deploy/ out."""
    manual = (ROOT / "docs/operations.md").read_text()
    files = [path for path in DEPLOY.rglob("*") if path.is_file()]

    missing = [
        str(path.relative_to(ROOT))
        for path in files
        if str(path.relative_to(ROOT)) not in manual
        and f"{path.parent.relative_to(ROOT)}/*{path.suffix}" not in manual
    ]

    assert len(files) > len(SERVICES)
    assert missing == []
