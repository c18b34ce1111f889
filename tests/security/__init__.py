"""What an attacker would try, row by row as docs/security.md lists it; where a row fits elsewhere, its test is there."""
