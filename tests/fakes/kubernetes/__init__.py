"""Kubernetes in memory, in virtual time, and able to fail in every way that a real one does.

:class:`~.cluster.Cluster` is API server, scheduler, kubelet and engine; each client has a
:class:`~.connection.Connection` of its own, which implements the executor's ``api.PodApi``.
"""

from .cluster import Cluster
from .connection import Connection
from .program import FAILS, GOOD, PUSH, Program

__all__ = ["FAILS", "GOOD", "PUSH", "Cluster", "Connection", "Program"]
