"""The version, written by hand at a release."""

__version__ = "0.1.0.dev0"
