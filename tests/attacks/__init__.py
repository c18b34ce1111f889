"""Money that names the wrong invoice, too many or none, by mistake or on purpose."""
