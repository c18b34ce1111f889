"""What does a report say in whole sentences, in each language?"""

from reconciler.language import Phrase

TITLE = Phrase("Reconciliation of {first} to {last}", "Rapprochement du {first} au {last}")
RUN = Phrase("run {id}", "rapport n° {id}")

# What must be known before any number is read. Each begins with its mark, which stands in titles too.
CUT_OFF = Phrase(
    "CUT OFF: this run has not looked at all of its range. Its numbers are not whole.",
    "INTERROMPU : ce rapprochement n'a pas parcouru toute sa période. Ses chiffres ne sont pas complets.",
)
NOT_ENDED = Phrase(
    "NOT ENDED: this run still waits or goes on. Its numbers are not whole.",
    "NON TERMINÉ : ce rapprochement attend ou continue. Ses chiffres ne sont pas complets.",
)
GAP = Phrase(
    "NOT COMPLETE: objects on one side only, at Stripe or here: {count}.",
    "INCOMPLET : objets présents d'un seul côté, chez Stripe ou ici : {count}.",
)
DOES_NOT_TIE_OUT = Phrase(
    "DOES NOT TIE OUT: days on which the ledger here is not Stripe's: {count}. Its numbers can't be signed.",
    "NE CONCORDE PAS : jours où le solde d'ici n'est pas celui de Stripe : {count}. Ses chiffres ne se signent pas.",
)
DRY_RUN = Phrase(
    "DRY RUN: nothing was changed. What is listed is what a run would do; both books are as they are before it.",
    "SIMULATION : rien n'a été modifié. La liste montre ce que ferait un rapprochement ; les deux livres sont tels qu'avant lui.",
)
DAY_NOT_OVER = Phrase(
    "DAY NOT OVER: {day} still went on at Stripe; covered until {until}.",
    "JOURNÉE EN COURS : le {day} n'était pas terminé chez Stripe ; couvert jusqu'au {until}.",
)

# What a person does next, in this order.
RESUME = Phrase(
    "Go on where it was cut off: reconciler reconcile --resume {id}",
    "Reprendre là où il s'est interrompu : reconciler reconcile --resume {id}",
)
WAIT = Phrase(
    "Wait until it has ended: reconciler runs show {id}",
    "Attendre la fin : reconciler runs show {id}",
)
CLOSE_GAP = Phrase(
    "List of {list}: objects on one side only: {count}. Run the range again; if the gap stays, tell an engineer.",
    "Liste « {list} » : objets présents d'un seul côté : {count}. Relancer la période ; si le manque demeure, prévenir un ingénieur.",
)
NOT_TIED_OUT = Phrase(
    "Days of the ledger that differ from Stripe's list (marked NO): {count}. Run the range again; if they stay, tell an engineer, who runs: reconciler verify --rebuild",
    "Jours qui diffèrent de la liste de Stripe (marqués NON) : {count}. Relancer la période ; s'ils demeurent, prévenir un ingénieur, qui lance : reconciler verify --rebuild",
)
NOT_TIED_OUT_WHILE_GONE = Phrase(
    "Days of the ledger that differ from Stripe's list (marked NO): {count}. What is accepted of what is missing at Stripe is left out of them in the next run.",
    "Jours qui diffèrent de la liste de Stripe (marqués NON) : {count}. Ce qui est accepté de ce qui est absent chez Stripe en sera écarté au prochain rapprochement.",
)
NOT_TIED_OUT_YET = Phrase(
    "Days of the ledger of which something is missing here (marked NO): {count}. A run without --dry-run takes it in.",
    "Jours dont il manque ici des mouvements (marqués NON) : {count}. Un rapprochement sans --dry-run les reprend.",
)
PAYOUT_DIFFERS = Phrase(
    "Payout {id}: what it holds adds up to {held}, but it is {amount}. Run the range again; if it stays, ask Stripe.",
    "Virement {id} : son contenu totalise {held}, mais il vaut {amount}. Relancer la période ; si l'écart demeure, demander à Stripe.",
)
REPAIR = Phrase(
    "Differences that would be repaired: {count}. Run it again without --dry-run.",
    "Écarts qui seraient corrigés : {count}. Relancer sans --dry-run.",
)
DECIDE = Phrase(
    "Differences that need a person: {count}, each listed with its reason. See: reconciler exceptions list",
    "Écarts qui attendent une personne : {count}, chacun avec son motif. Voir : reconciler exceptions list",
)
QUESTIONS = Phrase(
    "Open questions about payments of these days that are in the queue: {count}. See: reconciler exceptions list",
    "Questions ouvertes sur des paiements de ces jours, dans la file : {count}. Voir : reconciler exceptions list",
)
QUESTIONS_BEFORE = Phrase(
    "Open questions about payments of these days that are in the queue already: {count}; a run may find more. See: reconciler exceptions list",
    "Questions ouvertes sur des paiements de ces jours, déjà dans la file : {count} ; un rapprochement peut en trouver d'autres. Voir : reconciler exceptions list",
)
ANSWER = Phrase(
    "Disputes that wait for an answer in Stripe's dashboard: {count}, the first ({id}) by {until}.",
    "Litiges qui attendent une réponse dans le tableau de bord de Stripe : {count}, le premier ({id}) avant le {until}.",
)
BOOK_CHANGES = Phrase(
    "Objects of signed days that have changed: {count}. Book the differences in the open period; what was signed stays as it is.",
    "Objets de jours signés qui ont changé : {count}. Comptabiliser les différences sur la période ouverte ; ce qui est signé ne change pas.",
)
COME_BACK = Phrase(
    "The last day is not over: run the range again tomorrow before anybody signs.",
    "Le dernier jour n'est pas terminé : relancer la période demain, avant toute signature.",
)
THEN_SIGN = Phrase(
    "Once that is settled or accepted, sign: reconciler runs sign {id} --by NAME",
    "Une fois cela réglé ou accepté, signer : reconciler runs sign {id} --by NOM",
)
ACCEPT_AND_RUN_AGAIN = Phrase(
    "What is missing at Stripe: resolve its exception with a reason. Then run these days again, and sign that run; this one can't be signed.",
    "Ce qui est absent chez Stripe : clore son exception avec un motif. Puis relancer ces jours, et signer ce nouveau rapport ; celui-ci ne se signe pas.",
)
SIGN = Phrase(
    "Nothing is left to do. To sign: reconciler runs sign {id} --by NAME",
    "Plus rien à faire. Pour signer : reconciler runs sign {id} --by NOM",
)
SIGNED = Phrase(
    "Nothing is left to do: it is signed.",
    "Plus rien à faire : le rapport est signé.",
)
ALL_WELL = Phrase(
    "Nothing differs. A dry run can't be signed: run it without --dry-run.",
    "Aucun écart. Une simulation ne se signe pas : relancer sans --dry-run.",
)

# What the commands say of runs, and of two of them.
DRY_MARK = Phrase("{state}, dry run", "{state}, simulation")
NO_RUNS = Phrase(
    "Nothing was reconciled yet: `reconciler reconcile --from DAY --to DAY`.",
    "Rien n'a encore été rapproché : `reconciler reconcile --from JOUR --to JOUR`.",
)
SAME = Phrase(
    "Runs {first} and {second} say the same.",
    "Les rapports n° {first} et {second} disent la même chose.",
)
SAME_SUMS = Phrase("Both say the same sums.", "Les deux donnent les mêmes sommes.")
ONLY_IN = Phrase("Only run {id} lists:", "Seul le rapport n° {id} liste :")
CHANGED_ONLY_IN = Phrase(
    "Only run {id} lists as changed since it was signed:",
    "Seul le rapport n° {id} liste comme modifié depuis la signature :",
)
PERHAPS_MORE = Phrase(
    "There may be more than these {count}: `reconciler runs report {id}` has all.",
    "Il y en a peut-être plus que ces {count} : `reconciler runs report {id}` les a tous.",
)

# Facts in a line, and what stands in place of a table without rows.
REAL = Phrase("repairs what differed", "corrige les écarts")
DRY = Phrase("dry run, changes nothing", "simulation, ne modifie rien")
FROM_UNTIL = Phrase("{first} until before {last}", "{first} jusqu'à {last} exclu")
NOT_COVERED = Phrase("nothing yet", "rien encore")
SIGNED_BY = Phrase("by {name}, {at}", "par {name}, {at}")
NOT_SIGNED = Phrase("no", "non")
NO_ROWS = Phrase("None.", "Aucun.")
NO_DIFFERENCES = Phrase("Nothing differs.", "Aucun écart.")
ONLY_DAYS = Phrase(
    "No payment, refund or dispute differs, but days of the ledger do: they are marked NO.",
    "Aucun paiement, remboursement ou litige ne diffère, mais des jours du solde diffèrent : ils sont marqués NON.",
)
NOTHING_YET = Phrase(
    "Nothing was found so far, but not all was looked at.",
    "Rien n'a été trouvé jusqu'ici, mais tout n'a pas été parcouru.",
)
MORE = Phrase(
    "Not shown here: {count} more. The CSV, XLSX and JSON reports have all of them.",
    "Non affichés ici : {count}. Les rapports CSV, XLSX et JSON les contiennent tous.",
)
LEDGER_IN = Phrase("Ledger in {currency}", "Solde en {currency}")
SALES_IN = Phrase("Sales in {currency}", "Ventes en {currency}")
TWO_BOOKS = Phrase(
    "The ledger is what moved on Stripe's balance, in the currency of settlement; sales are what payers were charged. The two are never added up.",
    "Le solde montre ce qui a bougé chez Stripe, en devise de règlement ; les ventes, ce que les payeurs ont payé. Les deux ne s'additionnent jamais.",
)
HERE_AND_THERE = Phrase("Here: {here} → at Stripe: {there}", "Ici : {here} → chez Stripe : {there}")
SINCE = Phrase("Since {at}", "Depuis le {at}")
MISSED_BY = Phrase("Missed by: {who}", "Manqué par : {who}")
SIGNED_IN = Phrase("signed in run {id}", "signé au rapport n° {id}")
NAME_AND_VALUE = Phrase("{name}: {value}", "{name} : {value}")
GROSS_A_DAY = Phrase(
    "Charges before fees per day, {currency}", "Encaissements bruts par jour, {currency}"
)
MORE_CHARTS = Phrase(
    "Currencies without a chart here: {count}.", "Devises sans graphique ici : {count}."
)
