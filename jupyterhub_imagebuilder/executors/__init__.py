"""Executors: each carries out builds somewhere, behind :class:`builds.ports.Executor`.

What they share: ``repo2docker`` and ``diagnosis`` (the command line, and what its output means),
``entrypoint`` (what runs in a pod or container), ``carried`` (what that says about its build),
``buildlog``, ``logs``, ``marks`` and ``silence`` (its log, from its beginning or from a mark on).
"""
