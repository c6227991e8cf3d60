"""The HTTP API as an aiohttp application."""

import re

from aiohttp import web

from sluicegate.engine.ports import Clock, NoTelemetry, Random, Telemetry
from sluicegate.engine.services import Services
from sluicegate.engine.settings import Settings
from sluicegate.http.api.actors import ActorHandlers
from sluicegate.http.api.api_keys import ApiKeyHandlers
from sluicegate.http.api.billing import BillingHandlers
from sluicegate.http.api.endpoints import EndpointHandlers
from sluicegate.http.api.exports import ExportHandlers
from sluicegate.http.api.exposition import Exposition, ExpositionHandlers
from sluicegate.http.api.health import HealthHandlers, Readiness
from sluicegate.http.api.messages import MessageHandlers
from sluicegate.http.api.metrics import MetricsHandlers
from sluicegate.http.api.operations import OperationHandlers
from sluicegate.http.api.reference import ReferenceHandlers
from sluicegate.http.api.route import Route
from sluicegate.http.api.routes import Handlers, routes
from sluicegate.http.api.sending import SendHandlers
from sluicegate.http.api.signing_keys import SigningKeyHandlers
from sluicegate.http.auth import Authentication
from sluicegate.http.bodies import Bodies, check_expectation
from sluicegate.http.connections import WHOLE, JsonRunner, WholeHandler
from sluicegate.http.middleware import Gate
from sluicegate.http.openapi.document import build_document
from sluicegate.http.openapi.schemas import Json
from sluicegate.http.per_minute import PerMinute
from sluicegate.http.reading import Reading
from sluicegate.http.whole_requests import WholeRoutes
from sluicegate.turns.pacer import Pacer

__all__ = ["create_app", "create_runner", "describe"]

_VARIABLE = re.compile(r"\{(\w+)\}")
_CONNECTION = {
    "access_log": None,  # `request.finished` says it, without the query string
    "auto_decompress": False,  # a small compressed body may be a very large one
    "keepalive_timeout": 75.0,
    "max_field_size": 8190,
    "max_headers": 128,
    "max_line_size": 8190,
}
"""How aiohttp treats connections, whoever runs the application."""


def create_app(
    services: Services,
    *,
    settings: Settings,
    clock: Clock,
    random: Random,
    readiness: Readiness,
    telemetry: Telemetry | None = None,
    exposition: Exposition | None = None,
) -> web.Application:
    """Return the API as an application that is not running yet.

    Args:
        services: what the requests ask for.
        settings: the limits of bodies and rates.
        clock: times requests and refills the rate limits.
        random: makes request ids.
        readiness: while it is false, `/readyz` fails and writes get 503.
        telemetry: is told of each request.
        exposition: tells the metrics; without it there is no `/metrics`.
    """
    reading = Reading()
    gate = Gate(
        Authentication(services.api_keys, PerMinute(settings.auth_failures_per_minute, clock)),
        project_rate=PerMinute(settings.requests_per_minute, clock),
        readiness=readiness,
        clock=clock,
        random=random,
        telemetry=telemetry if telemetry is not None else NoTelemetry(),
    )
    app = web.Application(middlewares=[gate.unmatched()], handler_args=_CONNECTION)
    app.on_cleanup.append(lambda _: reading.close())
    table = _table(
        services, settings=settings, readiness=readiness, exposition=exposition, reading=reading
    )
    methods: dict[str, list[str]] = {}
    whole: WholeRoutes[WholeHandler] = WholeRoutes()
    for route in table:
        handler = gate.handler(route)
        # aiohttp's own idea of a variable part has no braces in it.
        path = _VARIABLE.sub(r"{\1:[^/]+}", route.path)
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            app.router.add_route(method, path, handler, expect_handler=check_expectation)
            methods.setdefault(path, []).append(method)
        if route.method == "POST":
            handler_ = WholeHandler(gate.entrance(route), in_line=route.in_line)
            whole.add(route.method, route.path, handler_)
    app[WHOLE] = whole
    for path, known in methods.items():
        refusal = gate.other_methods(known)
        app.router.add_route("*", path, refusal, expect_handler=check_expectation)
    return app


def describe(
    services: Services,
    *,
    settings: Settings,
    readiness: Readiness,
    exposition: Exposition | None = None,
) -> Json:
    """Return the description of the API that `create_app` would serve, as OpenAPI 3.1."""
    table = _table(
        services, settings=settings, readiness=readiness, exposition=exposition, reading=Reading()
    )
    return build_document(table)


def _table(
    services: Services,
    *,
    settings: Settings,
    readiness: Readiness,
    exposition: Exposition | None,
    reading: Reading,
) -> tuple[Route, ...]:
    bodies = Bodies(total_bytes_max=settings.pending_bytes_max)
    handlers: list[Handlers] = [
        SendHandlers(services.messages, bodies, reading, settings),
        EndpointHandlers(services.endpoints, bodies, settings),
        SigningKeyHandlers(services.endpoints),
        MessageHandlers(services.messages),
        OperationHandlers(services.operations, bodies),
        MetricsHandlers(services.activity),
        ExportHandlers(services.exports, bodies, settings),
        ApiKeyHandlers(services.api_keys, bodies),
        ActorHandlers(services.api_keys),
        BillingHandlers(services.billing),
        HealthHandlers(readiness),
        ExpositionHandlers(exposition),
    ]
    if settings.docs:
        handlers.append(ReferenceHandlers(tuple(handlers)))
    return routes(*handlers)


def create_runner(
    app: web.Application,
    *,
    random: Random,
    pacer: Pacer | None = None,
    connections_max: int = 1000,
    head_s: float = 15.0,
    shutdown_timeout_s: float = 5.0,
) -> web.AppRunner:
    """Return a runner for `app` whose connections answer malformed HTTP in JSON too.

    Args:
        app: made by `create_app`.
        random: makes the ids of requests that never reach the application.
        pacer: where sends wait in line; the engine's that they go to, or else one of its own.
        connections_max: connections at once; beyond it the one that is idle longest is closed.
        head_s: seconds that the head of a request may take to arrive.
        shutdown_timeout_s: seconds that requests in progress get at `cleanup`.
    """
    return JsonRunner(
        app,
        random=random,
        pacer=Pacer() if pacer is None else pacer,
        connections_max=connections_max,
        head_s=head_s,
        shutdown_timeout_s=shutdown_timeout_s,
    )
