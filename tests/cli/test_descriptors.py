"""The limit of open files is raised, and spoken of when it is too low."""

import subprocess
import sys

from tests.cli.conftest import environment

PROGRAM = """
import resource
from sluicegate.cli.descriptors import raise_descriptors_max
from sluicegate.engine.settings import Settings
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 200))
print(raise_descriptors_max(Settings(connections_max=30, in_flight_max=25, in_flight_late_max=20)))
print(raise_descriptors_max(Settings(connections_max=31, in_flight_max=25, in_flight_late_max=20)))
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def test_the_limit_is_raised_and_a_warning_says_what_is_missing() -> None:
    """In a process of its own: the hard limit cannot be raised again."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    enough, too_few, soft = done.stdout.splitlines()
    assert enough == "None"
    assert "200 open files" in too_few
    assert "may need 201" in too_few
    assert soft == "200"
