"""The tests of the settings: files in a temporary folder and an environment made by hand."""
