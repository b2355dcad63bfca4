"""Names that the hub's side and the service's both know: sections of ``c``, and providers.

Plain data: what stands behind the names is imported only where it is used.
"""

from __future__ import annotations

from typing import Final

_PROVIDERS: Final = "jupyterhub_imagebuilder.providers"

#: The providers that the service has unless the admin says otherwise: an address goes to the first
#: that takes it, and ``git`` takes any.
PROVIDER_CLASSES: Final = (
    f"{_PROVIDERS}.github.GitHubProvider",
    f"{_PROVIDERS}.gist.GistProvider",
    f"{_PROVIDERS}.gitlab.GitLabProvider",
    f"{_PROVIDERS}.gitea.GiteaProvider",
    f"{_PROVIDERS}.bitbucket.BitbucketProvider",
    f"{_PROVIDERS}.zenodo.ZenodoProvider",
    f"{_PROVIDERS}.figshare.FigshareProvider",
    f"{_PROVIDERS}.dataverse.DataverseProvider",
    f"{_PROVIDERS}.hydroshare.HydroShareProvider",
    f"{_PROVIDERS}.ckan.CKANProvider",
    f"{_PROVIDERS}.swh.SoftwareHeritageProvider",
    f"{_PROVIDERS}.mercurial.MercurialProvider",
    f"{_PROVIDERS}.git.GitProvider",
)

#: What the service reads, whether its part is in use or not; bases set options for all of theirs.
SECTIONS: Final = (
    "ImageBuilder",
    "CrossOrigin",
    "KubernetesExecutor",
    "DockerExecutor",
    "HostProvider",
    "GitHostProvider",
    "ForgeProvider",
    "ArchiveProvider",
    *(name.rpartition(".")[2] for name in PROVIDER_CLASSES),
    "DistributionRegistry",
)

#: Key of a value that only changes an option's default: what ``LazyConfigValue.to_dict`` says.
CHANGES: Final = "changes of the default"
