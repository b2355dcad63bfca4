"""Builds as containers of one engine: for a hub that runs on one machine.

``executor`` holds the settings and the port; ``engine`` is the only module that talks to the
engine.  ``launching`` brings a build's container to run, ``following`` tells what it does.
``images`` answers as the registry does, where there is none; ``tidying`` bounds what images and
caches take.  ``container`` and ``verdict`` are pure.
"""
