"""Tests of the commands, as a person or a service manager runs them."""
