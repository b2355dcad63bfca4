"""The registry that images are kept in: look-ups by the OCI distribution API."""
