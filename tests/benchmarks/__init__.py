"""Measurements: ``make bench`` prints them as one table.  No test, and no gate."""
