"""What `make bench` runs: figures beside their targets and beside a baseline of the same run. Never a test."""
