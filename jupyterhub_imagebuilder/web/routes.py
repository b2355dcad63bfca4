"""Which address is whose."""

from __future__ import annotations

import logging
import re

from tornado.web import Application, RequestHandler

from jupyterhub_imagebuilder.web import (
    admin,
    api,
    build,
    changes,
    links,
    logs,
    openapi,
    ops,
    pages,
    resolve,
    static,
    suggest,
)
from jupyterhub_imagebuilder.web.base import Backend, Handler

log = logging.getLogger(__name__)

ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    (r"build(?:/.*)?", build.BuildHandler),
    (r"api/builds", api.BuildsHandler),
    (r"api/builds/([^/]+)", api.BuildHandler),
    (r"api/builds/([^/]+)/events", api.EventsHandler),
    (r"api/builds/([^/]+)/cancel", api.CancelHandler),
    (r"api/builds/([^/]+)/log", logs.LogHandler),
    (r"api/builds/([^/]+)/rebuild", api.RebuildHandler),
    (r"api/builds/([^/]+)/published", admin.PublishedHandler),
    (r"api/changes", changes.ChangesHandler),
    (r"api/overview", admin.OverviewHandler),
    (r"api/refs", suggest.RefsHandler),
    (r"api/repositories", suggest.RepositoriesHandler),
    (r"api/resolve", resolve.ResolveHandler),
    (r"api/providers", resolve.ProvidersHandler),
    (r"api/repoproviders", resolve.RepoProvidersHandler),
    (r"api/limits", resolve.LimitsHandler),
    (r"api/openapi\.json", openapi.OpenAPIHandler),
    (r"api/images", api.ImagesHandler),
    (r"health", ops.HealthHandler),
    (r"metrics", ops.MetricsHandler),
    (r"versions", ops.VersionsHandler),
    (r"", pages.HomePage),
)
#: What is for people and their browsers: no part of the API's description.
PAGES: tuple[tuple[str, type[Handler]], ...] = (
    (r"builds/([0-9A-Za-z-]{1,64})", pages.BuildPage),
    (r"admin", pages.AdminPage),
    (r"link", pages.LinkPage),
    (r"content", pages.ContentPage),
    (r"oauth_callback", pages.CallbackPage),
    (r"v2/.*", links.LinkHandler),
    (r"badge\.svg", links.BadgeHandler),
    (r"static/([^/]+)", static.StaticHandler),
)

#: ``user:password@`` behind the scheme of an address, escaped or not.
_USERINFO = re.compile(r"((?::|%3a)(?:/|%2f){2})(?:(?!%2f|%40)[^/@])+(?:@|%40)", re.IGNORECASE)


def application(backend: Backend, prefix: str) -> Application:
    """The web application.

    :param prefix: the path below which everything is; begins and ends with a slash.
    """
    base = re.escape(prefix)
    arguments = {"backend": backend}
    routes = [(f"{base}{pattern}", handler, arguments) for pattern, handler in ROUTES + PAGES]
    # a hub's own look at its service leaves the last slash out
    routes.append((base.removesuffix("/"), pages.HomePage, arguments))
    return Application(
        routes,
        default_handler_class=pages.NotFoundPage,
        default_handler_args=arguments,
        log_function=log_request,
        prefix=prefix,
        cors=backend.cors,
        front_end=static.FrontEnd(),
        cookie_secret=backend.sessions.cookie_secret if backend.sessions else None,
    )


def log_request(handler: RequestHandler) -> None:
    """The access log: no query, which may hold a token, and no password of a repository."""
    request = handler.request
    path = _USERINFO.sub(r"\1", request.path)
    # probes ask for these every few seconds, for ever
    probes = ops.HealthHandler | ops.MetricsHandler | ops.VersionsHandler
    probed = isinstance(handler, probes) or (
        isinstance(handler, pages.HomePage) and not handler.wants_html()
    )
    level = logging.DEBUG if probed else logging.INFO
    milliseconds = 1000 * request.request_time()
    log.log(level, "%s %s %d %.1f ms", request.method, path, handler.get_status(), milliseconds)
