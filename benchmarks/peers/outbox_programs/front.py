"""Takes a message over HTTP and stores it in the outbox: a Django view and nothing more."""

from deliveries import deliver
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path


def enqueue(request: HttpRequest) -> HttpResponse:
    """Answer 202 when the event is committed and, as this strategy has it, delivered."""
    with transaction.atomic():
        deliver(request.body.decode())
    return HttpResponse(status=202, headers={"Content-Length": "0"})


urlpatterns = [path("enqueue", enqueue)]
application = get_wsgi_application()
