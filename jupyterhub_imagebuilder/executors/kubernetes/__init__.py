"""Builds as pods: one pod per build, one watch for all of them, one log stream per build.

``executor`` holds the settings and the port; ``api`` says what it needs from Kubernetes and
``client`` is the only module that talks to it.  ``following`` merges what ``starting`` and
``buildlog`` tell of one build.  ``manifest``, ``placement`` and ``verdict`` are pure.
"""
