"""Invoices that come from a file."""
