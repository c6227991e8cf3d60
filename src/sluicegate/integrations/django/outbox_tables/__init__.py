"""An app for `INSTALLED_APPS`: the outbox's tables in the project's own databases, by `migrate`.

    from sluicegate.integrations.django import outbox

    with transaction.atomic():
        order.save()
        outbox().send(endpoint_id, {"event": "order.created"})

It stands beside the app `sluicegate.integrations.django`. Who delivers is told where the database
is by `SLUICEGATE = {"outboxes": ["default"], ...}`.
"""
