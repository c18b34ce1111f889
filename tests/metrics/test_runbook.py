"""Does the runbook know every figure, and no figure that is not there?"""

import re
from pathlib import Path

from reconciler.metrics import AT_SCRAPE, OF_DAEMON, OF_SERVE
from reconciler.metrics.listener import ThisProcess

RUNBOOK = Path(__file__).parents[2] / "docs" / "operations.md"
# What Prometheus's text format makes of one figure.
PARTS = re.compile(r"_(?:total|bucket|count|sum)$")


def test_it_explains_every_figure_and_no_other() -> None:
    """Each figure stands in the runbook, and each name there, in a rule too, is one that is told."""
    [chapter] = re.findall(r"^## Metrics.*?(?=^## )", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    named = {
        PARTS.sub("", each) for each in re.findall(r"\b(?:reconciler|process)_[a-z_]+", chapter)
    }

    counted = {family.name for each in (*OF_SERVE, *OF_DAEMON) for family in each.collect()}
    used = {PARTS.sub("", each.name) for each in ThisProcess().collect()}
    gauges = {each.name for each in AT_SCRAPE}
    told = counted | gauges | {"reconciler_build_info"}

    assert told <= named
    assert named <= told | used
