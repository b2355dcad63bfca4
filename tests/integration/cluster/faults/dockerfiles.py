"""Dockerfiles whose builds take as long, or end as badly, as a test needs."""

from __future__ import annotations

import secrets

from tests.integration.cluster.environment import ClusterEnv


def step(env: ClusterEnv, command: str) -> str:
    """One step, new to every engine's cache, on the smallest base that has Python."""
    return f"FROM {env.open_registry}/base:1\nRUN : {secrets.token_hex(4)}; {command}\n"


def quick(env: ClusterEnv) -> str:
    """About a second."""
    return step(env, "true")


def ticking(env: ClusterEnv, seconds: int = 8) -> str:
    """A line every fifth of a second."""
    return step(env, f'for i in $(seq 1 {seconds * 5}); do echo "TICK $i"; sleep 0.2; done')


def silent(env: ClusterEnv, seconds: int = 8) -> str:
    """A line, then none for a while."""
    return step(env, f"echo SILENCE; sleep {seconds}; echo OVER")


def heavy(env: ClusterEnv, megabytes: int = 60) -> str:
    """Nothing but data that do not compress: its push takes a while in any registry."""
    made = f"FROM {env.open_registry}/base:1 AS made\n"
    made += f"RUN dd if=/dev/urandom of=/data bs=1M count={megabytes}\n"
    return made + "FROM scratch\nCOPY --from=made /data /data\n"


def hungry(env: ClusterEnv, megabytes: int) -> str:
    """A step that needs so much memory."""
    return step(env, f"python3 -c \"print(len(bytearray(b'x') * ({megabytes} << 20)))\"")


def filling(env: ClusterEnv, megabytes: int) -> str:
    """A step that needs so much disk, but does not keep it."""
    return step(env, f"dd if=/dev/zero of=/opt/fill bs=1M count={megabytes} && rm /opt/fill")


def failing(env: ClusterEnv) -> str:
    """A step that says why it fails; the words do not stand in its command."""
    return step(env, "echo WHY-IT-'FAILED'; exit 3")
