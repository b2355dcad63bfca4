"""Hosts of repositories that answer as their public documentation says."""
