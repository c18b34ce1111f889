"""Everything that knows the database. The only package that imports sqlalchemy."""
