"""What are the things in a report called, in each language?

A phrase has every language, or it cannot be made. What programs read (JSON, CSV) has the keys of these tables instead, which never change.
"""

from collections.abc import Mapping

from reconciler.core.drift import NOTHING, Drift
from reconciler.core.report import Outcome, RunState
from reconciler.language import Phrase

TABLES: Mapping[str, Phrase] = {
    "summary": Phrase("Summary", "Synthèse"),
    "lists": Phrase("Lists at Stripe and here", "Listes chez Stripe et ici"),
    "differences_by_kind": Phrase("Differences by kind", "Écarts par nature"),
    "differences": Phrase("Differences", "Écarts"),
    "payments": Phrase("Payments", "Paiements"),
    "refunds": Phrase("Refunds", "Remboursements"),
    "disputes": Phrase("Disputes", "Litiges"),
    "ledger": Phrase("Days", "Jours"),
    "sales": Phrase("Sales", "Ventes"),
    "payouts": Phrase("Payouts", "Virements"),
    "changed_since_signed": Phrase("Changed since signed", "Modifié depuis signature"),
    "ledger_total": Phrase("Ledger, all days", "Solde, tous les jours"),
    "sales_total": Phrase("Sales, all days", "Ventes, tous les jours"),
    "next": Phrase("What to do next", "Ce qu'il reste à faire"),
}

HEADINGS: Mapping[str, Phrase] = {
    "name": Phrase("List", "Liste"),
    "at_stripe": Phrase("At Stripe", "Chez Stripe"),
    "here": Phrase("Here", "Ici"),
    "there": Phrase("At Stripe", "Chez Stripe"),
    "left_alone": Phrase("Left alone", "Laissés de côté"),
    "gap": Phrase("Gap", "Manque"),
    "is_complete": Phrase("Complete", "Complet"),
    "kind": Phrase("Difference", "Écart"),
    "count": Phrase("Number", "Nombre"),
    "subject": Phrase("Of", "Objet"),
    "payment_id": Phrase("Payment", "Paiement"),
    "invoice_ids": Phrase("Invoices", "Factures"),
    "since": Phrase("Since", "Depuis"),
    "missed_by": Phrase("Missed by", "Manqué par"),
    "outcome": Phrase("Outcome", "Suite donnée"),
    "note": Phrase("Note", "Remarque"),
    "id": Phrase("Id", "Identifiant"),
    "day": Phrase("Day", "Jour"),
    "status": Phrase("Status", "État"),
    "currency": Phrase("Currency", "Devise"),
    "received": Phrase("Received", "Reçu"),
    "refunded": Phrase("Refunded", "Remboursé"),
    "disputed": Phrase("Disputed", "En litige"),
    "settlement_currency": Phrase("Settled in", "Réglé en"),
    "gross": Phrase("Gross", "Brut"),
    "fee": Phrase("Fee", "Frais"),
    "net": Phrase("Net", "Net"),
    "exchange_rate": Phrase("Exchange rate", "Taux de change"),
    "payout_id": Phrase("Payout", "Virement"),
    "amount": Phrase("Amount", "Montant"),
    "reason": Phrase("Reason", "Motif"),
    "respond_by": Phrase("Answer by", "Répondre avant"),
    "opening": Phrase("Opening balance", "Solde d'ouverture"),
    "charges": Phrase("Charges", "Encaissé"),
    "refunds": Phrase("Refunds", "Remboursements"),
    "refund_failures": Phrase("Refund failures", "Remboursements échoués"),
    "disputes": Phrase("Disputes", "Litiges"),
    "fees": Phrase("Fees", "Frais"),
    "payouts": Phrase("Payouts", "Virements"),
    "other": Phrase("Other", "Autres"),
    "closing": Phrase("Closing balance", "Solde de clôture"),
    "transactions": Phrase("Transactions", "Mouvements"),
    "stripe_net": Phrase("Net by Stripe's list", "Net selon Stripe"),
    "ties_out": Phrase("Ties out", "Concorde"),
    "not_at_stripe": Phrase("Accepted, not at Stripe", "Accepté, absent de Stripe"),
    "payments": Phrase("Payments", "Paiements"),
    "refund_count": Phrase("Refunds", "Remboursements"),
    "arrives_on": Phrase("Arrives", "Arrivée"),
    "is_automatic": Phrase("Automatic", "Automatique"),
    "held": Phrase("Sum of what it holds", "Somme du contenu"),
    "run_id": Phrase("Signed run", "Rapport signé"),
    "object_id": Phrase("Id", "Identifiant"),
    "before": Phrase("As signed", "Signé"),
    "after": Phrase("Now", "Maintenant"),
    "cause": Phrase("Cause", "Cause"),
    "difference": Phrase("Difference", "Différence"),
    "returns": Phrase("Refunds, disputes", "Remb., litiges"),
    "payouts_and_other": Phrase("Payouts, other", "Virements, autres"),
    "month": Phrase("Month", "Mois"),
    "all": Phrase("All", "Total"),
    "book": Phrase("Book", "Livre"),
    "here_before": Phrase("Here before", "Ici avant"),
    "gap_after": Phrase("Gap after", "Manque après"),
    "item": Phrase("What", "Élément"),
    "value": Phrase("Value", "Valeur"),
}

FACTS: Mapping[str, Phrase] = {
    "run": Phrase("Run", "Rapprochement"),
    "range": Phrase("Days", "Jours"),
    "zone": Phrase("Time zone", "Fuseau horaire"),
    "state": Phrase("State", "État"),
    "mode": Phrase("Mode", "Mode"),
    "covered": Phrase("Covered", "Période couverte"),
    "by": Phrase("Asked by", "Demandé par"),
    "asked_at": Phrase("Asked at", "Demandé le"),
    "ended_at": Phrase("Ended at", "Terminé le"),
    "made_at": Phrase("Report made at", "Rapport établi le"),
    "objects": Phrase("Objects read", "Objets lus"),
    "requests": Phrase("Requests", "Requêtes"),
    "error": Phrase("Why it was cut off", "Cause de l'interruption"),
    "signed": Phrase("Signed", "Signé"),
}

KINDS: Mapping[Drift, Phrase] = {
    Drift.MISSING_HERE: Phrase("missing here", "absent ici"),
    Drift.MISSING_AT_STRIPE: Phrase("missing at Stripe", "absent chez Stripe"),
    Drift.STATUS_BEHIND: Phrase("status behind", "état en retard"),
    Drift.AMOUNT_DIFFERS: Phrase("amount or currency differs", "montant ou devise différents"),
    Drift.REFUND_UNKNOWN: Phrase("refund unknown here", "remboursement inconnu ici"),
    Drift.DISPUTE_UNKNOWN: Phrase("dispute unknown here", "litige inconnu ici"),
    Drift.PAID_WITHOUT_MONEY: Phrase("paid here, no money at Stripe", "payé ici, sans argent chez Stripe"),
    Drift.UNMATCHED: Phrase("no invoice found", "sans facture"),
    Drift.UNDERPAID: Phrase("underpaid", "paiement insuffisant"),
    Drift.OVERPAID: Phrase("overpaid", "trop-perçu"),
    Drift.SECOND_PAYMENT: Phrase("second payment", "second paiement"),
    Drift.FEE_UNKNOWN: Phrase("fee still unknown", "frais encore inconnus"),
}  # fmt: skip

OUTCOMES: Mapping[Outcome, Phrase] = {
    Outcome.REPAIRED: Phrase("repaired", "corrigé"),
    Outcome.WOULD_REPAIR: Phrase("would be repaired", "serait corrigé"),
    Outcome.NEEDS_A_PERSON: Phrase("needs a person", "à traiter par une personne"),
    Outcome.EXPLAINED: Phrase("explained", "expliqué"),
}

STATES: Mapping[RunState, Phrase] = {
    RunState.QUEUED: Phrase("waits for its turn", "en attente"),
    RunState.RUNNING: Phrase("still goes on", "en cours"),
    RunState.COMPLETE: Phrase("complete", "complet"),
    RunState.CUT_OFF: Phrase("CUT OFF", "INTERROMPU"),
}

LISTS: Mapping[str, Phrase] = {
    "balance_transactions": Phrase("balance transactions", "mouvements du solde"),
    "payment_intents": Phrase("PaymentIntents", "PaymentIntents"),
    "checkout_sessions": Phrase("Checkout Sessions", "sessions Checkout"),
    "refunds": Phrase("refunds", "remboursements"),
    "disputes": Phrase("disputes", "litiges"),
    "payouts": Phrase("payouts", "virements"),
}

# Stripe's words of payments, refunds, disputes and payouts, those around them in the values of a difference, and the two that say
# who should have seen it.
STATUSES: Mapping[str, Phrase] = {
    NOTHING: Phrase("nothing", "rien"),
    "succeeded": Phrase("succeeded", "réussi"),
    "conflict": Phrase("conflict", "contradictoire"),
    "canceled": Phrase("canceled", "annulé"),
    "requires_capture": Phrase("authorised, not captured", "autorisé, non capturé"),
    "processing": Phrase("processing", "en traitement"),
    "requires_action": Phrase("waits for the payer", "attend le payeur"),
    "failed": Phrase("failed", "échoué"),
    "pending": Phrase("pending", "en attente"),
    "warning_needs_response": Phrase("inquiry, needs a response", "enquête, réponse attendue"),
    "warning_under_review": Phrase("inquiry under review", "enquête en examen"),
    "warning_closed": Phrase("inquiry closed", "enquête close"),
    "needs_response": Phrase("needs a response", "réponse attendue"),
    "under_review": Phrase("under review", "en examen"),
    "charge_refunded": Phrase("refunded", "remboursé"),
    "refunded": Phrase("refunded", "remboursé"),
    "disputed": Phrase("disputed", "en litige"),
    "prevented": Phrase("prevented", "évité"),
    "lost": Phrase("lost", "perdu"),
    "won": Phrase("won", "gagné"),
    "paid": Phrase("paid", "payé"),
    "unpaid": Phrase("unpaid", "impayé"),
    "no_payment_required": Phrase("no payment required", "aucun paiement requis"),
    "in_transit": Phrase("in transit", "en route"),
    "no invoice": Phrase("no invoice", "aucune facture"),
    "due": Phrase("due", "dû"),
    "received": Phrase("received", "reçu"),
    "settled": Phrase("settled", "réglé"),
    "fee": Phrase("fee", "frais"),
    "charge": Phrase("charge", "encaissement"),
    "refund": Phrase("refund", "remboursement"),
    "refund_failure": Phrase("refund failure", "remboursement échoué"),
    "dispute": Phrase("dispute", "litige"),
    "dispute_reversal": Phrase("dispute reversal", "litige annulé"),
    "payout": Phrase("payout", "virement"),
    "payment": Phrase("payment", "paiement"),
    "topup": Phrase("top-up", "approvisionnement"),
    "adjustment": Phrase("adjustment", "ajustement"),
    "stripe_fee": Phrase("Stripe fee", "frais Stripe"),
    "other": Phrase("other", "autre"),
    "on": Phrase("on", "le"),
    "webhook": Phrase("webhook", "webhook"),
    "sweep": Phrase("sweep", "relevé"),
}

YES_NO: Mapping[bool, Phrase] = {True: Phrase("yes", "oui"), False: Phrase("no", "non")}
# Where a "no" must not be overlooked.
SOUND: Mapping[bool, Phrase] = {True: Phrase("yes", "oui"), False: Phrase("NO", "NON")}
