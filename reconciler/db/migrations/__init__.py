"""The history of our tables. Alembic loads these files by path; `migrate.py` calls it."""
