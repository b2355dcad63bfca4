"""Executors: each carries out builds somewhere, behind :class:`builds.ports.Executor`.

``repo2docker`` and ``diagnosis`` are what they share: the command line, and what its output means.
"""
