"""What all tests share: how much Hypothesis tries, and where garbage is looked for.

Hypothesis: `dev` at the desk, `ci` the same every time, `deep` over night. `HYPOTHESIS_PROFILE`
chooses; without it `ci` where `CI` is set, else `dev`.
"""

import gc
import os

from hypothesis import HealthCheck, settings

settings.register_profile("dev", max_examples=50, deadline=None, print_blob=True)
settings.register_profile(
    "ci",
    max_examples=100,
    deadline=None,
    print_blob=True,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "deep",
    max_examples=10_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)


def pytest_collection_finish() -> None:
    """Look for garbage only among what tests make, not in thousands of collected tests.

    Many a test collects all garbage to see what it left behind, and each simulation does: of some
    it was most of their time.
    """
    gc.collect()
    gc.freeze()
