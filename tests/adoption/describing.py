"""How do tests get from an app's settings to its table as we see it?"""

import tomllib
from zoneinfo import ZoneInfo

from reconciler.db.adopted import adopt
from reconciler.db.fitting import Description
from reconciler.db.invoice_table import InvoiceTable
from reconciler.db.session import Database
from tests.adoption.apps import App


def described(app: App, database: Database) -> Description:
    """What the settings would say."""
    whole = tomllib.loads(app.config(database))
    found = whole["invoices"]
    return Description(
        table=found["table"],
        columns=found["columns"],
        words=found["words"],
        payable=tuple(found.get("payable", ("open",))),
        in_decimals=found.get("amounts") == "decimal",
        only=found.get("filter", ""),
        zone=ZoneInfo(whole.get("report", {}).get("timezone", "UTC")),
    )


def adopted(app: App, database: Database) -> InvoiceTable:
    """The app's table as we see it."""
    with database.reading() as tx:
        return adopt(tx, described(app, database))
