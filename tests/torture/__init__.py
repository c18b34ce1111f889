"""Is what the books promise still true when programs, disks and connections die under them? `python -m tests.torture`."""
