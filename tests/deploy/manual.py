"""Which commands does the manual tell an engineer to type?"""

import re
from textwrap import dedent

from tests.deploy.units import ROOT

_BLOCK = re.compile(r"^( *)```sh\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_PASTED = re.compile(r"^install -m 400 /dev/stdin \S*/(?P<name>[A-Z_]+)$", re.MULTILINE)
# What only looks may end with 1, as long as it does look.
_LOOKING = re.compile(r"^(stripe-reconciler (?:doctor|status))$", re.MULTILINE)


def commands(section: str, secrets: dict[str, str] | None = None) -> list[str]:
    """Return the blocks of a section as scripts, in which each secret is pasted where the manual waits for it."""
    manual = (ROOT / "docs/operations.md").read_text()
    text = manual.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return [_typed(dedent(block[2]), secrets or {}) for block in _BLOCK.finditer(text)]


def _typed(block: str, secrets: dict[str, str]) -> str:
    pasted = _PASTED.sub(lambda it: f"echo '{secrets.get(it['name'], '')}' | {it[0]}", block)
    return _LOOKING.sub(r"\1 || [ $? = 1 ]", pasted)
