"""Whether the services can be installed and run as the manual says."""
