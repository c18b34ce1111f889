"""The tests of the pure core: no clock, no file, no database, no network."""
