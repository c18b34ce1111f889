"""Is the README's example one that was tried?"""

import re
from pathlib import Path

from tests.adoption.apps import DJANGO

README = Path(__file__).parents[2] / "README.md"


def test_it_shows_the_settings_and_rights_of_djangos_app() -> None:
    """The README's description of a table, and its rights, are those with which the tests pay Django's invoices."""
    chapter = README.read_text(encoding="utf-8").split("## Your own table of invoices")[1]
    [settings] = re.findall(r"```toml\n(.*?)```", chapter.split("\n## ")[0], re.DOTALL)
    [rights] = re.findall(r"```sql\n(.*?)```", chapter.split("\n## ")[0], re.DOTALL)

    assert settings.strip() == DJANGO.settings.replace("{schema}", "").strip()
    granted = [line.rstrip(";") for line in rights.splitlines() if line.startswith("GRANT SELECT")]
    tried = [
        each.replace("djangoapp.", "public.").replace("{user}", "reconciler")
        for each in DJANGO.grants
    ]
    assert granted == tried
