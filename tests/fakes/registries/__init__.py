"""Registries in a box: each speaks one product's dialect on 127.0.0.1, none was copied from it."""
