"""Where each secret is found: the service manager's credentials, a named file, or the environment."""

from collections.abc import Mapping
from pathlib import Path

from reconciler.config.sections import Key
from reconciler.config.sources import SECRET_NAMES, Found, SecretName


def read_credentials(
    found: Mapping[Key, Found], environ: Mapping[str, str]
) -> tuple[dict[str, Found], list[str]]:
    """Return the text of each secret by its variable, and which files could not be read.

    The first place that is there wins, even if it is blank: a secret that was emptied by accident
    must not be replaced by an older one.
    """
    texts: dict[str, Found] = {}
    problems: list[str] = []
    for name in SECRET_NAMES:
        file = _file_of(name, found, environ)
        if file is None:
            if name.variable in environ:
                texts[name.variable] = Found(environ[name.variable].strip(), name.variable)
            continue
        path, place = file
        try:
            texts[name.variable] = Found(path.read_text("utf-8").strip(), place)
        except OSError as error:
            # The path stays out of the message: it may be the secret itself, written in its place.
            problems.append(f"{place}: the file cannot be read: {error.strerror}")
        except ValueError:
            problems.append(f"{place}: the file is not text in UTF-8")
    return texts, problems


def _file_of(
    name: SecretName, found: Mapping[Key, Found], environ: Mapping[str, str]
) -> tuple[Path, str] | None:
    """Return the file that holds a secret, and its place in the words of a message."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if directory and _is_there(credential := Path(directory, name.variable)):
        return credential, f"$CREDENTIALS_DIRECTORY/{name.variable}"
    named = found.get((name.section, name.file_key))
    if named is not None and isinstance(named.value, str) and named.value:
        return Path(named.value), named.place
    return None


def _is_there(path: Path) -> bool:
    """Return whether the path exists; one out of reach counts, so that reading it says why."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return True
