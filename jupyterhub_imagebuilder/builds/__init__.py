"""The domain: what a build is, and how one is asked for, joined, watched and ended.

Standard library and :mod:`jupyterhub_imagebuilder.errors` only.  Nothing here does I/O, reads a
clock of its own, or knows a library; the world is reached through :mod:`.ports`.
"""
