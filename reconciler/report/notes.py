"""How are the sentences that a run has written told in another language?

A run writes them in English, and they stay as they are in the database and for programs. One that is not here is shown as it was written.
"""

import re
from functools import cache

from reconciler.core.hostile import visible
from reconciler.language import Language, Phrase

# French, the one other language, has a space before it.
_BETWEEN = " ; "
# `{name}` is one word, or what a person has written.
_WRITTEN = frozenset({"who", "reason"})
NOTES = (
    Phrase("booked as Stripe says", "comptabilisé comme le dit Stripe"),
    Phrase("a run without --dry-run books it as Stripe says", "un rapprochement sans --dry-run le comptabilise comme le dit Stripe"),
    Phrase("it names no invoice: assign it to one", "il ne désigne aucune facture : lui en attribuer une"),
    Phrase("ask for the rest, or accept it and resolve it with a reason", "réclamer le reste, ou l'accepter et clore avec un motif"),
    Phrase("refund the rest at Stripe, or accept it and resolve it with a reason", "rembourser l'excédent chez Stripe, ou l'accepter et clore avec un motif"),
    Phrase("it is covered without one of its payments: refund one at Stripe, or assign it elsewhere", "elle est réglée sans l'un de ses paiements : en rembourser un chez Stripe, ou l'attribuer ailleurs"),
    Phrase("the invoice says paid and Stripe has no money for it: find out who wrote that", "la facture se dit payée et Stripe n'a pas d'argent pour elle : trouver qui l'a écrit"),
    Phrase("Stripe has booked no balance transaction for it yet: the fee comes with it", "Stripe n'a pas encore de mouvement pour lui : les frais viendront avec"),
    Phrase("Stripe does not know it: look whether these are the books of that account and mode, and who wrote it", "Stripe ne le connaît pas : vérifier que ces livres sont ceux de ce compte et de ce mode, et qui l'a écrit"),
    Phrase("accepted by {who}: {reason}", "accepté par {who} : {reason}"),
    Phrase("Stripe never changes a movement: somebody has changed it here", "Stripe ne modifie jamais un mouvement : quelqu'un l'a modifié ici"),
    Phrase("an engineer runs `reconciler verify --rebuild`", "un ingénieur lance `reconciler verify --rebuild`"),
    Phrase("to accept it, resolve its exception", "pour l'accepter, clore son exception"),
    Phrase("together with run {runs} at the same time, which may list it too", "en même temps que le rapport n° {runs}, qui peut aussi le lister"),
    Phrase("late transaction; it belongs to the period that is open", "mouvement tardif ; il appartient à la période ouverte"),
    Phrase("late payment; it belongs to the period that is open", "paiement tardif ; il appartient à la période ouverte"),
    Phrase("not known when these days were signed; it belongs to the period that is open", "inconnu à la signature de ces jours ; il appartient à la période ouverte"),
    Phrase("it is no money of ours any more; it belongs to the period that is open", "ce n'est plus de l'argent à nous ; cela appartient à la période ouverte"),
    Phrase("it belongs to the period that is open", "il appartient à la période ouverte"),
    Phrase("what Stripe says of it has changed", "ce que Stripe en dit a changé"),
    Phrase("refund {id}, whose money moved on {day}", "remboursement {id}, dont l'argent a bougé le {day}"),
    Phrase("dispute {id}, whose money moved on {day}", "litige {id}, dont l'argent a bougé le {day}"),
    Phrase("refund {id}", "remboursement {id}"),
    Phrase("dispute {id}", "litige {id}"),
    Phrase("there are more than {count} changes: these are the first", "il y a plus de {count} changements : voici les premiers"),
    Phrase("it was stopped", "il a été arrêté"),
    Phrase("it was killed, or its machine was", "il a été tué, ou sa machine l'a été"),
    Phrase("somebody else goes on with it", "quelqu'un d'autre le continue"),
    Phrase("{day} has not begun at Stripe, where it is {today}: put this machine's clock right, and ask again", "le {day} n'a pas commencé chez Stripe, où c'est le {today} : régler l'horloge de cette machine, et redemander"),
    Phrase("more than {count} payments would change, which a dry run does not keep in mind: ask for fewer days", "plus de {count} paiements changeraient, ce qu'une simulation ne retient pas : demander moins de jours"),
    Phrase("more than {count} objects wait to be read: let the daemon read them first", "plus de {count} objets attendent d'être lus : laisser d'abord le démon les lire"),
    Phrase("{count} or more of our {list} are not at Stripe: are these the books of the account that the key reads?", "{count} ou plus de nos {list} ne sont pas chez Stripe : ces livres sont-ils ceux du compte que lit la clé ?"),
)  # fmt: skip


def translated(text: str, language: Language) -> str:
    """A sentence of a run, or several of them behind each other, in a language. Harmless by then."""
    if language == "en":
        return visible(text)
    if whole := _found(text, language):
        return whole
    parts = text.split("; ")
    found = [_found(part, language) for part in parts]
    if not any(found):
        return visible(text)
    return _BETWEEN.join(told or visible(part) for told, part in zip(found, parts, strict=True))


def _found(text: str, language: Language) -> str | None:
    for phrase in NOTES:
        found = _pattern(phrase.en).fullmatch(text)
        if found:
            return visible(phrase.to(language).format(**found.groupdict()))
    return None


@cache
def _pattern(sentence: str) -> re.Pattern[str]:
    """What matches a sentence, with one word in place of each `{name}`, and what a person has written in place of some."""
    return re.compile(re.sub(r"\\\{(\w+)\\\}", _place, re.escape(sentence)))


def _place(found: re.Match[str]) -> str:
    name = found[1]
    what = ".+?" if name in _WRITTEN else r"[^\s;]+"
    return f"(?P<{name}>{what})"
