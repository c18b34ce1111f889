"""Ask for the figures as Prometheus does: over a socket, and read by its own parser."""

import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from reconciler.metrics import Instruments, listening

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Scrape:
    """What was told: the text as it came, and each figure under its name and labels."""

    text: str
    samples: Mapping[tuple[str, Labels], float]

    def value(self, name: str, **labels: str) -> float | None:
        """Return a figure; None if it was not told."""
        return self.samples.get((name, frozenset(labels.items())))

    def under(self, name: str, label: str) -> dict[str, float]:
        """Return the figures of a name by the value of a label, of the only one it has."""
        mine = {
            dict(labels)[label]: n for (each, labels), n in self.samples.items() if each == name
        }
        assert len(mine) == sum(each == name for each, _ in self.samples)
        return mine


def scrape(port: int) -> Scrape:
    """Ask a listener of this machine."""
    url = f"http://127.0.0.1:{port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    found = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return Scrape(text, found)


def counted(instruments: Instruments) -> Scrape:
    """Ask a listener that is there for this one question."""
    with listening("127.0.0.1", 0, instruments) as port:
        return scrape(port)


def growth(before: Scrape, after: Scrape, name: str) -> dict[Labels, float]:
    """Return by how much the figures of a name have grown, those that have not left out."""
    grown = {
        labels: value - before.samples.get((each, labels), 0)
        for (each, labels), value in after.samples.items()
        if each == name
    }
    return {labels: value for labels, value in grown.items() if value}
