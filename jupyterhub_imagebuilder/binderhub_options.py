"""Options of BinderHub, and what stands for each of them here.  Plain data, and one sentence.

Source: BinderHub's traits, of the application, its executors, registries, providers, limits.
"""

from __future__ import annotations

from typing import Final

_APP: Final = "ImageBuilder"
_EXECUTOR: Final = "KubernetesExecutor"
_REGISTRY: Final = "DistributionRegistry"
_NOTHING: Final = ""

_SERVERS: Final = "servers are started by JupyterHub, which has c.JupyterHub.active_server_limit"
_LAUNCH: Final = "servers are started by JupyterHub, so remove it"
_PAGES: Final = "there is no page of its own to change, so remove it"
_TOKENS: Final = "every request needs a token of the hub, so remove it"
_TURNS: Final = "builds wait for their turn: see c.ImageBuilder.max_builds_per_user"
_NETWORK: Final = "who may reach the service is for a network policy or proxy to say"

_BUILDS: Final = {
    "appendix": "it is an argument of repo2docker, --appendix=…: add it to "
    f"c.{_EXECUTOR}.repo2docker_extra_args",
    "push_secret": f"{_EXECUTOR}.push_secret",
    "repo2docker_extra_args": f"{_EXECUTOR}.repo2docker_extra_args",
    "memory_limit": "memory is limited per build pod: c.KubernetesExecutor.resources, or "
    "c.DockerExecutor.memory_limit on one machine",
    "git_credentials": "a token is read from the file that the provider's access_token_file names, "
    "such as c.GitLabProvider.access_token_file",
    "namespace": f"{_EXECUTOR}.namespace",
    "build_image": f"{_EXECUTOR}.build_image",
    "docker_host": f"{_EXECUTOR}.engine_socket_dir",
    "node_selector": f"{_EXECUTOR}.node_selector",
    "image_pull_secrets": f"{_EXECUTOR}.image_pull_secrets",
    "resources": f"{_EXECUTOR}.resources",
    "extra_envs": f"{_EXECUTOR}.extra_env",
    "log_tail_lines": _NOTHING,
    "sticky_builds": _NOTHING,
}
_LIMITS: Final = {
    "limit": f"{_APP}.max_builds_per_user",
    "period_seconds": _TURNS,
    "clean_seconds": _TURNS,
}
#: What each provider has; ``high_quota_specs`` and the like count servers.
_EVERY_PROVIDER: Final = {
    "allowed_specs": f"{_APP}.allowed_specs",
    "banned_specs": f"{_APP}.banned_specs",
    "high_quota_specs": _SERVERS,
    "spec_config": _SERVERS,
}

_SECTIONS: Final[dict[str, dict[str, str]]] = {
    "BinderHub": {
        "about_message": _PAGES,
        "appendix": _BUILDS["appendix"],
        "auth_enabled": _NOTHING,
        "badge_base_url": _PAGES,
        "ban_networks": _NETWORK,
        "ban_networks_min_prefix_len": _NETWORK,
        "banned_specs": f"{_APP}.banned_specs",
        "banner_message": _PAGES,
        "base_url": f"{_APP}.base_url",
        "build_class": f"{_APP}.executor_class",
        "build_cleaner_class": _NOTHING,
        "build_cleanup_interval": _NOTHING,
        "build_docker_config": f"{_EXECUTOR}.push_secret",
        "build_docker_host": f"{_EXECUTOR}.engine_socket_dir",
        "build_image": f"{_EXECUTOR}.build_image",
        "build_max_age": f"{_EXECUTOR}.deadline",
        "build_memory_limit": _BUILDS["memory_limit"],
        "build_memory_request": f"{_EXECUTOR}.resources",
        "build_namespace": f"{_EXECUTOR}.namespace",
        "build_node_selector": f"{_EXECUTOR}.node_selector",
        "build_token_check_origin": _TOKENS,
        "build_token_expires_seconds": _TOKENS,
        "build_token_secret": _TOKENS,
        "builder_required": _NOTHING,
        "concurrent_build_limit": f"{_APP}.max_builds",
        "cors_allow_origin": "CrossOrigin.allowed_origins",
        "default_provider": _PAGES,
        "enable_api_only_mode": _NOTHING,
        "executor_threads": _NOTHING,
        "extra_footer_scripts": _PAGES,
        "extra_static_path": _PAGES,
        "extra_static_url_prefix": _PAGES,
        "git_credentials": _BUILDS["git_credentials"],
        "google_analytics_code": _PAGES,
        "google_analytics_domain": _PAGES,
        "health_handler_class": _NOTHING,
        "hub_api_token": _NOTHING,
        "hub_url": _NOTHING,
        "hub_url_local": _NOTHING,
        "image_prefix": f"{_APP}.image_prefix",
        "launch_max_retries": _LAUNCH,
        "launch_quota_class": _SERVERS,
        "launch_retry_delay": _LAUNCH,
        "launcher_class": _LAUNCH,
        "log_tail_lines": _NOTHING,
        "per_repo_quota": "servers are JupyterHub's to count; builds of one repository are limited "
        "by c.ImageBuilder.max_builds_per_repository",
        "per_repo_quota_higher": _SERVERS,
        "pod_quota": _SERVERS,
        "port": f"{_APP}.port",
        "push_secret": f"{_EXECUTOR}.push_secret",
        "ratelimiter_class": _TURNS,
        "registry_class": "one class knows all registries, so remove it; credentials are in "
        f"c.{_REGISTRY}",
        "repo_providers": f"{_APP}.provider_classes",
        "require_build_only": _NOTHING,
        "sticky_builds": _NOTHING,
        "template_path": _PAGES,
        "template_variables": _PAGES,
        "tornado_settings": "headers of its own need no option here, so remove it; for "
        "pages of other origins there is c.CrossOrigin.allowed_origins",
        "use_named_servers": _LAUNCH,
        "use_registry": _NOTHING,
    },
    "BuildExecutor": _BUILDS,
    "Build": _BUILDS,
    "KubernetesBuildExecutor": _BUILDS,
    "LocalRepo2dockerBuild": _BUILDS,
    "FakeBuild": _BUILDS,
    "KubernetesCleaner": {
        "max_age": f"{_EXECUTOR}.deadline",
        "namespace": f"{_EXECUTOR}.namespace",
        "kube": _NOTHING,
    },
    "RateLimiter": _LIMITS,
    "LaunchQuota": {"total_quota": _SERVERS},
    "KubernetesLaunchQuota": {"total_quota": _SERVERS, "namespace": _SERVERS},
    "Launcher": dict.fromkeys(
        (
            "allow_named_servers",
            "create_user",
            "hub_api_token",
            "hub_url",
            "hub_url_local",
            "named_server_limit_per_user",
            "pre_launch_hook",
            "retries",
            "retry_delay",
        ),
        _LAUNCH,
    ),
    "DockerRegistry": {
        "url": f"{_APP}.image_prefix",
        "auth_config_url": _NOTHING,
        "token_url": _NOTHING,
        "docker_config_path": f"{_REGISTRY}.credentials_file",
        "username": f"{_REGISTRY}.username",
        "password": f"{_REGISTRY}.password_file",
    },
    "AWSElasticContainerRegistry": {"aws_region": _NOTHING, "ecr_client": _NOTHING},
    "ExternalRegistryHelper": dict.fromkeys(
        ("auth_token", "service_url"), "repositories are made by the service where ECR needs it"
    ),
    "RepoProvider": {"git_credentials": _BUILDS["git_credentials"]},
    "FakeProvider": {},
    "GitRepoProvider": {
        "allowed_protocols": "GitProvider.allowed_protocols",
        "git_credentials": "the provider of any Git repository takes no credentials; name the host "
        "in c.GitLabProvider.hosts or c.GiteaProvider.hosts, and its token in access_token_file",
    },
    "GitHubRepoProvider": {
        "access_token": "GitHubProvider.access_token_file",
        "api_base_path": "GitHubProvider.api_url",
        "client_id": "GitHubProvider.access_token_file",
        "client_secret": "GitHubProvider.access_token_file",
        "git_credentials": "GitHubProvider.access_token_file",
        "hostname": "GitHubProvider.hostname",
    },
    "GistRepoProvider": {
        "access_token": "GistProvider.access_token_file",
        "allow_secret_gist": "GistProvider.allow_secret_gist",
        "client_id": "GistProvider.access_token_file",
        "client_secret": "GistProvider.access_token_file",
        "git_credentials": "GistProvider.access_token_file",
    },
    "GitLabRepoProvider": {
        "access_token": "GitLabProvider.access_token_file",
        "git_credentials": "GitLabProvider.access_token_file",
        "hostname": "GitLabProvider.hosts",
        "private_token": "GitLabProvider.access_token_file",
    },
    # the archives' classes have the same names here
    "ZenodoProvider": {},
    "FigshareProvider": {},
    "DataverseProvider": {},
    "HydroshareProvider": {},
    "CKANProvider": {},
}

#: Sections that are BinderHub's alone.
SECTIONS: Final = frozenset(
    _SECTIONS.keys() - {"ZenodoProvider", "FigshareProvider", "DataverseProvider", "CKANProvider"}
)


def is_ours(counterpart: str) -> bool:
    """Whether it names an option of ours, and is no part of a sentence."""
    return counterpart != _NOTHING and " " not in counterpart


def counterparts() -> dict[str, str]:
    """Options of BinderHub, ``Section.option``.

    :returns: ours, ``Section.option``; empty: nothing has to be set; else a part of a sentence.
    """
    providers = [name for name in _SECTIONS if name.endswith("Provider")]
    return {
        f"{section}.{option}": ours
        for section, options in _SECTIONS.items()
        for option, ours in (options | (_EVERY_PROVIDER if section in providers else {})).items()
    }


def sentence(section: str, option: str) -> str | None:
    """What to tell an admin who set an option of BinderHub.

    :returns: None where BinderHub has no such section, or it is ours, too, without this option.
    """
    start = f"c.{section}.{option} is an option of BinderHub"
    ours = counterparts().get(f"{section}.{option}")
    if ours is None:
        known = section in SECTIONS
        return f"{start} that has no counterpart here; remove it." if known else None
    if ours == _NOTHING:
        return f"{start}; nothing has to be set for it here, so remove it."
    if is_ours(ours):
        return f"{start}; here it is c.{ours}."
    return f"{start}; here {ours}."
