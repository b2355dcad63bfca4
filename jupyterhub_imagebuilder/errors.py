"""What can go wrong, said once: a stable reason and a sentence that fits a user.

    ImageBuilderError
    ├── SpecInvalid            the text does not name a repository and ref
    ├── SpecForbidden          it does, but this user may not build it
    ├── QuotaExceeded          a limit on builds is reached
    ├── RefNotFound            the repository or the ref is not there, or not public
    ├── ProviderUnavailable    the repository's host does not answer
    ├── RegistryUnavailable    the registry does not answer
    ├── RegistryDenied         the registry refuses our credentials
    ├── ExecutorUnavailable    Kubernetes, or the engine, does not answer
    ├── StoreUnavailable       the database with the history of builds does not answer
    ├── BuildFailed            a build ended without an image (any reason)
    ├── BuildNotFound          no build of that id that this user may see
    ├── BuildUnderWay          the build is not over, so this cannot be done with it
    ├── ImageUnknown           an image name that no finished build stands behind
    ├── AuthenticationRequired no token, or one that is not valid
    ├── AccessDenied           a valid token that may not do this
    └── ServiceUnavailable     the hub cannot reach the image builder

A message is shown to users as it is: it carries no traceback, no token and no internal name.
Adapters translate their libraries' exceptions into these, with the cause chained.
This module imports the standard library only.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Reason(StrEnum):
    """Stable code of a failure: labels the metric, keys the docs page, reaches the client.

    Extend, never rename.  The comment behind a member is its text in the documentation.
    """

    SPEC_INVALID = "spec-invalid"  #: The text does not name a repository and a ref.
    SPEC_FORBIDDEN = "spec-forbidden"  #: The admin does not allow this repository.
    REF_NOT_FOUND = "ref-not-found"  #: The repository or the ref does not exist, or is private.
    PROVIDER_UNAVAILABLE = "provider-unavailable"  #: The repository's host does not answer.
    QUOTA = "quota"  #: A limit on builds is reached.
    QUEUE_TIMEOUT = "queue-timeout"  #: The build waited in the queue for too long.
    UNSCHEDULABLE = "unschedulable"  #: No node can take the build pod.
    IMAGE_PULL = "image-pull"  #: An image cannot be pulled: the one that builds, or what was built.
    MOUNT_FAILED = "mount-failed"  #: A volume of the build pod cannot be mounted.
    ENGINE_UNAVAILABLE = "engine-unavailable"  #: No container engine answers on the node.
    BUILD_FAILED = "build-failed"  #: A step of the build failed; the log says which.
    OUT_OF_MEMORY = "out-of-memory"  #: The build needed more memory than it may use.
    DISK_FULL = "disk-full"  #: The node's disk, or the engine's, is full.
    EVICTED = "evicted"  #: Kubernetes took the node's room back.
    PUSH_DENIED = "push-denied"  #: The registry refused the push credentials.
    PUSH_FAILED = "push-failed"  #: The image was built but did not arrive in the registry.
    REGISTRY_UNAVAILABLE = "registry-unavailable"  #: The registry does not answer.
    REGISTRY_DENIED = "registry-denied"  #: The registry refused the credentials of the look-up.
    TIMEOUT = "timeout"  #: The build took longer than it may.
    EXECUTOR_LOST = "executor-lost"  #: The build pod is gone, or Kubernetes does not answer.
    CANCELLED = "cancelled"  #: Someone who may do so stopped the build.
    BUILD_NOT_FOUND = "build-not-found"  #: No build of that id, or not yours.
    IMAGE_UNKNOWN = "image-unknown"  #: No finished build of yours stands behind this image name.
    IMAGE_UNUSABLE = (
        "image-unusable"  #: The image cannot run a server: jupyterhub-singleuser is missing.
    )
    AUTHENTICATION_REQUIRED = "authentication-required"  #: No token, or one that is not valid.
    ACCESS_DENIED = "access-denied"  #: The token may not do this.
    SERVICE_UNAVAILABLE = "service-unavailable"  #: The hub cannot reach the image builder.
    STORE_UNAVAILABLE = "store-unavailable"  #: The database with the history does not answer.
    STILL_BUILDING = (
        "still-building"  #: The build goes on: a start does not wait for it, nothing deletes it.
    )
    INTERNAL = "internal"  #: A fault of the image builder itself; its log says more.


class ImageBuilderError(Exception):
    """Base of all errors that cross a module's border.

    :param message: one sentence for the user, who can act on it.
    :param reason: overrides the class's own reason.
    :param retry_after: seconds after which it is worth another try, where that is known.
    """

    reason: Reason = Reason.INTERNAL
    #: HTTP status of the answer where the client asked for JSON.
    status: ClassVar[int] = 500

    def __init__(
        self, message: str, reason: Reason | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        if reason is not None:
            self.reason = reason


class SpecInvalid(ImageBuilderError):
    """The text does not name a repository and ref."""

    reason = Reason.SPEC_INVALID
    status = 400


class SpecForbidden(ImageBuilderError):
    """The repository may not be built here."""

    reason = Reason.SPEC_FORBIDDEN
    status = 403


class QuotaExceeded(ImageBuilderError):
    """A limit on builds is reached."""

    reason = Reason.QUOTA
    status = 429


class RefNotFound(ImageBuilderError):
    """The repository or the ref is not there, or not public."""

    reason = Reason.REF_NOT_FOUND
    status = 404


class ProviderUnavailable(ImageBuilderError):
    """The repository's host does not answer."""

    reason = Reason.PROVIDER_UNAVAILABLE
    status = 502


class RegistryUnavailable(ImageBuilderError):
    """The registry does not answer.  Never a reason to build again."""

    reason = Reason.REGISTRY_UNAVAILABLE
    status = 503


class RegistryDenied(ImageBuilderError):
    """The registry refuses the credentials that we have for it."""

    reason = Reason.REGISTRY_DENIED
    status = 502


class ExecutorUnavailable(ImageBuilderError):
    """What carries out builds does not answer."""

    reason = Reason.EXECUTOR_LOST
    status = 503


class StoreUnavailable(ImageBuilderError):
    """The database that remembers builds does not answer."""

    reason = Reason.STORE_UNAVAILABLE
    status = 503


class BuildFailed(ImageBuilderError):
    """A build ended without an image; the reason says why."""

    reason = Reason.BUILD_FAILED
    status = 500


class BuildNotFound(ImageBuilderError):
    """No build of that id that the caller may see."""

    reason = Reason.BUILD_NOT_FOUND
    status = 404


class BuildUnderWay(ImageBuilderError):
    """The build is not over, so this cannot be done with it."""

    reason = Reason.STILL_BUILDING
    status = 409


class ImageUnknown(ImageBuilderError):
    """No finished build that the caller may see stands behind the image name."""

    reason = Reason.IMAGE_UNKNOWN
    status = 404


class AuthenticationRequired(ImageBuilderError):
    """No token, or one that is not valid."""

    reason = Reason.AUTHENTICATION_REQUIRED
    status = 401


class AccessDenied(ImageBuilderError):
    """A valid token that may not do this."""

    reason = Reason.ACCESS_DENIED
    status = 403


class ServiceUnavailable(ImageBuilderError):
    """The hub cannot reach the image builder."""

    reason = Reason.SERVICE_UNAVAILABLE
    status = 503
