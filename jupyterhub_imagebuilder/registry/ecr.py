"""Amazon's Elastic Container Registry: what its registry API does not do, by AWS's own API.

Passwords live for twelve hours (GetAuthorizationToken), a repository has to exist before the
first push (CreateRepository), and tags are deleted by BatchDeleteImage; see
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/.  botocore finds the credentials and
signs the requests; it comes with the extra ``ecr``.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.errors import ImageBuilderError, RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.registry.credentials import Credentials
from jupyterhub_imagebuilder.registry.failures import Transient

_HOST = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)"
    r"\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|on\.aws|on\.amazonwebservices\.com\.cn)"
)
#: Seconds before its end in which a password is not used any more: some days AWS is slow.
_MARGIN = 1800.0
#: Seconds after which a password that was refused is asked for again.
_RENEWAL_INTERVAL = 60.0
#: Repositories that are known to exist.
_REMEMBERED = 1000
#: What AWS says where the same request may go through in a moment.
_PASSING = frozenset(
    {"ServerException", "ThrottlingException", "TooManyRequestsException", "RequestTimeout"}
)


@dataclass(frozen=True, slots=True)
class EcrHost:
    """What the host's name says."""

    account: str
    region: str

    @classmethod
    def of(cls, host: str) -> EcrHost:
        """Read the name.

        :raises RegistryUnavailable: it is none of this registry.
        """
        match = _HOST.fullmatch(host)
        if match is None:
            raise RegistryUnavailable(
                f"{host!r} is not the name of a registry of Amazon ECR "
                "(123456789012.dkr.ecr.eu-central-1.amazonaws.com); "
                "please tell the administrator of this hub."
            )
        return cls(match["account"], match["region"])


class ElasticContainerRegistry:
    """Credentials, repositories and deletions of one account's registry.

    :param host: of the image prefix.
    :param options: further arguments of CreateRepository.
    :param timeout: seconds for one request.
    :param connect: makes the client of AWS's API; it may take its time.
    """

    def __init__(
        self,
        host: str,
        *,
        clock: Clock,
        options: Mapping[str, Any] | None = None,
        timeout: float = 10.0,
        connect: Callable[[EcrHost, float], Any] | None = None,
    ) -> None:
        self._host = host
        self._name = EcrHost.of(host)
        self._clock = clock
        self._options = dict(options or {})
        self._timeout = timeout
        self._connect = connect or _connected
        self._client: Any = None
        self._lock = asyncio.Lock()
        self._credentials: Credentials | None = None
        self._asked = self._stale = self._end = float("-inf")
        self._exists: dict[str, None] = {}

    async def get(self) -> Credentials | None:
        """The registry's password, a new one where it ends soon.

        :raises RegistryDenied: AWS does not know us, or does not give one.
        :raises RegistryUnavailable: AWS does not answer.
        """
        async with self._lock:
            if self._clock.now() >= self._stale:
                await self._ask_early()
            return self._credentials

    async def renew(self) -> Credentials | None:
        """A new password, at most once a minute."""
        async with self._lock:
            if self._clock.now() - self._asked >= _RENEWAL_INTERVAL:
                await self._ask()
            return self._credentials

    async def create(self, repository: str) -> None:
        """Make sure that the repository is there."""
        if repository in self._exists:
            return
        await self._call(
            "create_repository",
            fine="RepositoryAlreadyExistsException",
            **{**self._options, "registryId": self._name.account, "repositoryName": repository},
        )
        self._exists[repository] = None
        if len(self._exists) > _REMEMBERED:
            del self._exists[next(iter(self._exists))]

    async def remove(self, image: ImageName) -> None:
        """Delete a tag; gone already is fine."""
        answer = await self._call(
            "batch_delete_image",
            fine="RepositoryNotFoundException",
            registryId=self._name.account,
            repositoryName=image.repository,
            imageIds=[{"imageTag": image.tag}],
        )
        codes = {str(failure.get("failureCode")) for failure in answer.get("failures") or ()}
        if codes - {"ImageNotFound"}:
            raise RegistryDenied(
                f"Amazon ECR does not delete this image ({', '.join(sorted(codes))}); "
                "please tell the administrator of this hub."
            )

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await asyncio.to_thread(self._client.close)

    async def _ask_early(self) -> None:
        """Ask for a new password; while the old one is good, AWS may be away."""
        try:
            await self._ask()
        except Transient:
            if self._clock.now() >= self._end:
                raise

    async def _ask(self) -> None:
        now = self._clock.now()
        answer = await self._call("get_authorization_token")
        try:
            data = answer["authorizationData"][0]
            user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
            end = data["expiresAt"].timestamp()
        except (KeyError, IndexError, AttributeError, TypeError, binascii.Error, ValueError):
            raise RegistryUnavailable(  # not chained: the exception may hold the answer
                f"AWS answers without a password for the registry {self._host}; "
                "please tell the administrator of this hub."
            ) from None
        self._credentials, self._asked = Credentials(user, password), now
        self._end, self._stale = end, end - min(_MARGIN, max(0.0, end - now) / 2)

    async def _call(self, operation: str, *, fine: str = "", **arguments: Any) -> dict[str, Any]:
        """Ask AWS, in a thread.

        :param fine: an error of AWS that is as good as an (empty) answer.
        """
        answer, error = await asyncio.to_thread(self._ask_aws, operation, arguments)
        if error is None:
            return answer
        code = _code(error)
        if code and code == fine:
            return {}
        raise self._failure(operation, code, error) from error

    def _ask_aws(
        self, operation: str, arguments: dict[str, Any]
    ) -> tuple[dict[str, Any], Exception | None]:
        # a thread's exception comes back as a value: what botocore raises is known only there
        try:
            if self._client is None:
                self._client = self._connect(self._name, self._timeout)
            return dict(getattr(self._client, operation)(**arguments)), None
        except ImageBuilderError:
            raise
        except Exception as error:  # noqa: BLE001  # botocore has hundreds, with two bases
            return {}, error

    def _failure(
        self, operation: str, code: str, error: Exception
    ) -> RegistryDenied | RegistryUnavailable:
        if code in _PASSING or _status(error) >= 500:  # noqa: PLR2004  # an HTTP status
            return Transient(f"AWS has an error ({code}); please try again in a few minutes.")
        if code:
            return RegistryDenied(
                f"AWS does not allow {operation} for the registry {self._host} ({code}); "
                "please tell the administrator of this hub."
            )
        if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
            return RegistryDenied(
                f"The image builder has no AWS credentials for the registry {self._host}; "
                "please tell the administrator of this hub."
            )
        return Transient("AWS cannot be reached; please try again in a few minutes.")


def _connected(name: EcrHost, timeout: float) -> Any:
    """A client of AWS's API, with the credentials that botocore finds."""
    try:
        # by name: the library is an extra, and has no types
        session = importlib.import_module("botocore.session")
        config = importlib.import_module("botocore.config")
    except ImportError as error:
        raise RegistryDenied(
            "The image builder cannot ask AWS, because the extra jupyterhub-imagebuilder[ecr] is "
            "not installed; please tell the administrator of this hub."
        ) from error
    limits = config.Config(
        connect_timeout=timeout,
        read_timeout=timeout,
        retries={"total_max_attempts": 2, "mode": "standard"},
    )
    return session.get_session().create_client("ecr", region_name=name.region, config=limits)


def _code(error: Exception) -> str:
    """AWS's own code of an error; empty for those that are not AWS's."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _status(error: Exception) -> int:
    response = getattr(error, "response", None)
    found = response if isinstance(response, dict) else {}
    return int(found.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
