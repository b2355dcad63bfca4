"""How registries differ, as their public documentation or source says.

``page`` is where that is said; nothing here was recorded from the product itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

OK, DENIED, UNSUPPORTED, INVALID = 202, 403, 405, 400


@dataclass(frozen=True)
class Dialect:
    page: str
    host: str  #: in image names
    repository: str = "team/app"
    login: str = "bearer"
    realm: str = "/token"
    service: str = "registry"
    user: str = "builder"
    password: str = "pass:word"
    identity_token: str = ""  #: instead of a password
    token_names: tuple[str, ...] = ("token",)
    expires_in: int | None = 300
    wrong_password: int = 401  #: what the login server says to it
    #: what is said of a repository that is not there: 404, or 401 to a token that grants nothing
    absent_repository: int = 404
    names_error: bool = True  #: whether such a 401 says insufficient_scope
    delete_action: str = "delete"
    delete_tag: int = OK
    delete_digest: int = OK
    creates: bool = True  #: a push makes the repository
    absolute_links: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def deletes(self) -> bool:
        return OK in (self.delete_tag, self.delete_digest)


DIALECTS = {
    "distribution": Dialect(
        # registry/auth/htpasswd and registry/handlers/manifests.go (2.8: tags are not deleted)
        page="https://distribution.github.io/distribution/spec/api/",
        host="registry.example.org:5000",
        login="basic",
        delete_tag=UNSUPPORTED,
    ),
    "distribution-read-only": Dialect(
        page="https://distribution.github.io/distribution/about/configuration/#delete",
        host="registry.example.org:5000",
        login="basic",
        delete_tag=UNSUPPORTED,
        delete_digest=UNSUPPORTED,
    ),
    "docker-hub": Dialect(
        # a tagged manifest is not deleted: "registry will return 403 Forbidden"
        page="https://docs.docker.com/reference/api/registry/latest/",
        host="docker.io",
        service="registry.docker.io",
        token_names=("token", "access_token"),
        absent_repository=401,
        delete_tag=DENIED,
        delete_digest=DENIED,
        headers={"RateLimit-Limit": "200;w=21600", "RateLimit-Remaining": "176;w=21600"},
    ),
    "quay": Dialect(
        page="https://docs.quay.io/api/",
        host="quay.io",
        realm="/v2/auth",
        service="quay.io",
        user="team+builder",
        expires_in=None,
        absent_repository=401,
        names_error=False,
        delete_action="*",
    ),
    "ghcr": Dialect(
        page="https://docs.github.com/en/packages/working-with-a-github-packages-registry/"
        "working-with-the-container-registry",
        host="ghcr.io",
        service="ghcr.io",
        password="ghp_" + "x" * 36,
        expires_in=None,
        wrong_password=403,
        delete_tag=UNSUPPORTED,
        delete_digest=UNSUPPORTED,
    ),
    "gitlab": Dialect(
        # docs/spec/api.md and docs/spec/docker/v2 of GitLab's container-registry
        page="https://docs.gitlab.com/user/packages/container_registry/"
        "authenticate_with_container_registry/",
        host="registry.gitlab.com",
        repository="group/project/hub-app",
        realm="/jwt/auth",
        service="container_registry",
        user="gitlab+deploy-token-1",
        expires_in=None,
        wrong_password=403,
        absent_repository=401,
    ),
    "artifact-registry": Dialect(
        page="https://cloud.google.com/artifact-registry/docs/docker/authentication#json-key",
        host="europe-docker.pkg.dev",
        repository="project/repository/app",
        realm="/v2/token",
        service="europe-docker.pkg.dev",
        user="_json_key",
        password='{\n  "type": "service_account",\n  "private_key": "-----BEGIN x-----\\n"\n}',
        expires_in=3600,
        wrong_password=403,
        delete_action="*",
        absolute_links=True,
    ),
    "ecr": Dialect(
        page="https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html",
        host="123456789012.dkr.ecr.eu-central-1.amazonaws.com",
        login="basic",
        service="ecr.amazonaws.com",
        user="AWS",
        password="password-1",
        creates=False,
        delete_tag=UNSUPPORTED,  # by the API of ecr.py instead
        delete_digest=UNSUPPORTED,
    ),
    "acr": Dialect(
        # identity tokens are what ``az acr login`` leaves in config.json
        page="https://azure.github.io/acr/AAD-OAuth.html",
        host="example.azurecr.io",
        realm="/oauth2/token",
        service="example.azurecr.io",
        identity_token="refresh-token",
        token_names=("access_token",),
        expires_in=None,
        delete_tag=UNSUPPORTED,
    ),
    "acr-password": Dialect(
        page="https://learn.microsoft.com/en-us/rest/api/containerregistry/access-tokens/"
        "get-from-login",
        host="example.azurecr.io",
        realm="/oauth2/token",
        service="example.azurecr.io",
        user="00000000-0000-0000-0000-000000000000",
        token_names=("access_token",),
        expires_in=None,
        delete_tag=UNSUPPORTED,
    ),
    "harbor": Dialect(
        # src/server/registry/manifest.go: "v2 doesn't support delete by tag"
        page="https://goharbor.io/docs/main/working-with-projects/project-configuration/"
        "create-robot-accounts/",
        host="harbor.example.org",
        realm="/service/token",
        service="harbor-registry",
        user="robot$team+builder",
        expires_in=1800,
        token_names=("token", "access_token"),
        delete_tag=INVALID,
    ),
}
