"""Memory of builds in a SQL database: history, ownership, logs."""
