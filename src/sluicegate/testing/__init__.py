"""What programs test their webhooks with: an engine, a receiver that records, signed samples.

The pytest plugin has the fixtures `webhook_engine`, `webhook_receiver`, `webhook_settings` and
`webhook_samples`; all of it works without them too. See docs/testing-your-program.md.
"""

from sluicegate.simulation.receivers import Answer
from sluicegate.testing.assertions import assert_delivered
from sluicegate.testing.deliveries import HANG, Delivery, WebhookReceiver
from sluicegate.testing.draining import drain
from sluicegate.testing.loopback import RealReceiver
from sluicegate.testing.real import AsyncRealEngine, RealEngine, quick_settings
from sluicegate.testing.samples import FORGERIES, SAMPLE_SECRET, SignedWebhook, WebhookSamples
from sluicegate.testing.virtual import VirtualEngine, VirtualReceiver

__all__ = [
    "FORGERIES",
    "HANG",
    "SAMPLE_SECRET",
    "Answer",
    "AsyncRealEngine",
    "Delivery",
    "RealEngine",
    "RealReceiver",
    "SignedWebhook",
    "VirtualEngine",
    "VirtualReceiver",
    "WebhookReceiver",
    "WebhookSamples",
    "assert_delivered",
    "drain",
    "quick_settings",
]
