"""HTTP: handlers that translate between requests and the domain, and nothing else."""
