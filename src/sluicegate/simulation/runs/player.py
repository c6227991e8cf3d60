"""Plays the steps of a plan: those of clients, and those that harm."""

from collections.abc import Callable
from typing import Any

import msgspec

from sluicegate.simulation.faults import DISK_FAULTS, Faults
from sluicegate.simulation.oracle.history import EventKind
from sluicegate.simulation.runs import steps
from sluicegate.simulation.runs.asking import Asking
from sluicegate.simulation.runs.asking_many import AskingMany
from sluicegate.simulation.runs.http_client import CLIENT
from sluicegate.simulation.runs.scene import Scene

__all__ = ["Player"]


class Player:
    """Does steps to a scene. Used from outside the loop."""

    def __init__(self, scene: Scene) -> None:
        """Act on a scene."""
        self._scene = scene
        self._simulation = scene.simulation
        self.asking = asking = Asking(scene)
        self.asking_many = asking_many = AskingMany(scene, asking)
        self._acts: dict[type[steps.Step], Callable[[Any], None]] = {
            steps.Send: asking.send,
            steps.SendBatch: asking.send_batch,
            steps.Resend: asking.resend,
            steps.Pause: asking.pause,
            steps.Resume: asking.resume,
            steps.HoldAndRelease: asking.hold_and_release,
            steps.PauseAmidSends: asking.pause_amid_sends,
            steps.Toggle: asking.toggle,
            steps.Reconfigure: asking.reconfigure,
            steps.RotateKey: asking.rotate_key,
            steps.Look: asking.look,
            steps.OnMessage: asking.on_message,
            steps.OnMany: asking_many.on_many,
            steps.OnDeadLetter: asking_many.on_dead_letter,
            steps.CreateEndpoint: lambda step: asking.create_endpoint(step.receiver, step.config),
            steps.DeleteEndpoint: asking.delete_endpoint,
            steps.Pass: self._pass,
            steps.Weather: self._weather,
            steps.Behave: self._behave,
            steps.Crash: self._crash,
            steps.CrashAtWrite: self._crash_at_write,
            steps.Restart: self._restart,
            steps.Part: self._part,
            steps.JumpClock: self._jump_clock,
            steps.CrashReceiver: self._crash_receiver,
            steps.DiskFull: self._disk_full,
            steps.TakeOver: self._take_over,
            steps.Heal: self._heal,
        }

    def begin(self, faults: Faults) -> None:
        """Create the endpoints in calm, then let things go wrong."""
        for number, config in enumerate(self._scene.setup.endpoints):
            self.asking.create_endpoint(number, config)
            self._simulation.advance(1)
        self.play(steps.Weather(faults=faults))

    def play(self, step: steps.Step) -> None:
        """Do one step."""
        self._scene.loop.trace.note("step", type(step).__name__)
        self._acts[type(step)](step)

    def _pass(self, step: steps.Pass) -> None:
        self._simulation.advance(step.seconds)

    def _behave(self, step: steps.Behave) -> None:
        manners = self._scene.manners[step.receiver % len(self._scene.manners)]
        asked_s = step.retry_after_s
        manners.headers = () if asked_s is None else (("Retry-After", str(asked_s)),)
        manners.status, manners.left = step.status, step.count

    def _crash(self, step: steps.Crash) -> None:
        self._scene.engine.crash(power_loss=step.power_loss)

    def _jump_clock(self, step: steps.JumpClock) -> None:
        self._scene.jumped_s += abs(step.seconds)
        self._simulation.wall.jump(step.seconds)
        self._scene.recorder.event(EventKind.CLOCK_JUMPED, jump_s=step.seconds)

    def _crash_receiver(self, step: steps.CrashReceiver) -> None:
        self._scene.crash_receiver(step.receiver, down_s=step.down_s)

    def _heal(self, _: steps.Heal) -> None:
        self._scene.heal()

    def _weather(self, step: steps.Weather) -> None:
        scene = self._scene
        scene.disk_harmed |= any(getattr(step.faults, name) for name in DISK_FAULTS)
        scene.buggy |= step.faults.bug > 0
        faults = step.faults
        if not scene.http:
            # Runs without bytes are many and are judged to the millisecond: nothing is late there.
            faults = msgspec.structs.replace(faults, stall=0.0, dns_hang=0.0)
        if step.receiver is None:
            self._simulation.set_faults(faults)
            scene.recorder.event(EventKind.FAULTS, faults=faults)
            return
        receiver = scene.receiver(step.receiver)
        receiver.faults = faults
        self._simulation.network.set_faults(receiver.name, faults)
        scene.recorder.event(EventKind.FAULTS, receiver.name, faults=faults)

    def _crash_at_write(self, step: steps.CrashAtWrite) -> None:
        self._simulation.crash_at_write(step.nth, power_loss=step.power_loss)
        for each in step.amid:
            self.play(each)

    def _restart(self, step: steps.Restart) -> None:
        self._scene.engine.stop()
        self._simulation.advance(step.down_s)
        self._scene.engine.start()

    def _part(self, step: steps.Part) -> None:
        if not self._scene.http:
            return  # as above; and its clients are in the engine's process
        engine, receiver = self._scene.engine, self._scene.receiver(step.receiver)
        if step.clients:
            self._simulation.network.partition(engine.name, CLIENT, seconds=step.seconds)
            return
        self._simulation.network.partition(engine.name, receiver.name, seconds=step.seconds)
        self._scene.recorder.event(EventKind.PARTED, receiver.name)

    def _take_over(self, _: steps.TakeOver) -> None:
        scene = self._scene
        if scene.engine.is_up:
            scene.disk_harmed = True
            self._simulation.disk.take_over()
            scene.recorder.event(EventKind.TAKEN_OVER)

    def _disk_full(self, step: steps.DiskFull) -> None:
        disk, scene = self._simulation.disk, self._scene
        scene.disk_harmed = True
        disk.fill()
        scene.recorder.event(EventKind.DISK_FULL)
        scene.later(step.seconds, disk.make_room)
