"""Do the books hold what `verify` says they hold?"""
