"""Whole stories: real processes, real sockets, both databases."""
