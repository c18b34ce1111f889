"""Apps that others have made, each with a table of invoices as its own people designed it."""
