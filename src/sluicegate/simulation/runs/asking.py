"""The steps that clients do: each call is written down with what was heard."""

import asyncio
from typing import Any

import msgspec

from sluicegate.simulation.oracle.history import Call, Operation
from sluicegate.simulation.runs import steps
from sluicegate.simulation.runs.client import Draft, Key, NewEndpoint, RefusedError, Seen
from sluicegate.simulation.runs.scene import KnownEndpoint, Scene

__all__ = ["Asking"]

_LOOKED_AT = 50


def _headers(number: int) -> dict[str, str]:
    """Return headers for one of several messages: such as the endpoint may have, too.

    Those of the third must be refused.
    """
    chosen = {"X-Number": str(number), "X-Tenant": "the message's"}
    return chosen | ({"Webhook-Id": "forged"} if number == 2 else {})  # noqa: PLR2004 - the third


class Asking:
    """Lets the clients of a scene do a step. Nothing waits for an answer but what must."""

    def __init__(self, scene: Scene) -> None:
        """Act on a scene."""
        self._scene = scene
        self._recorder = scene.recorder

    # -- sending --------------------------------------------------------------------------------

    def send(self, step: steps.Send) -> None:
        """Send messages."""
        endpoint = self._scene.endpoint(step.endpoint)
        if endpoint is None:
            return
        for number in range(step.count):
            draft = self._draft(endpoint, step.padding, keyed=step.keyed)
            if step.headers:
                draft = msgspec.structs.replace(draft, headers=_headers(number))
            if step.kept_hours is not None:
                draft = msgspec.structs.replace(draft, retention_hours=step.kept_hours)
            self._send_after(number * step.apart_s, endpoint, draft, step.patience_s)

    def _send_after(
        self, after_s: float, endpoint: KnownEndpoint, draft: Draft, patience_s: float | None = None
    ) -> None:
        def begin() -> None:
            self._scene.begin(lambda: self._send(endpoint, draft), patience_s=patience_s)

        if after_s:
            self._scene.later(after_s, begin)
        else:
            begin()

    def _draft(self, endpoint: KnownEndpoint, padding: int = 0, *, keyed: bool = False) -> Draft:
        payload = self._scene.payload(padding)
        key = f"key-{self._scene.payloads}" if keyed else None
        draft = Draft(endpoint_id=endpoint.id, payload=payload, idempotency_key=key)
        if keyed:
            self._scene.keyed.append((endpoint, draft))
        return draft

    async def _send(self, endpoint: KnownEndpoint, draft: Draft) -> None:
        call = self._begin_send(endpoint, draft)

        def heard(message_id: str) -> None:
            call.message_id = message_id

        await self._recorder.ask(call, self._scene.client.send(draft), heard)

    def _begin_send(self, endpoint: KnownEndpoint, draft: Draft, batch: int | None = None) -> Call:
        return self._recorder.begin(
            Operation.SEND,
            endpoint.name,
            payload=draft.payload,
            config={} if draft.headers is None else {"headers": draft.headers},
            idempotency_key=draft.idempotency_key,
            batch=batch,
            endpoint_id=endpoint.id,
        )

    def send_batch(self, step: steps.SendBatch) -> None:
        """Send several messages in one request."""
        found = [self._scene.endpoint(number) for number in step.endpoints]
        several = [each for each in found if each is not None]
        if not several:
            return
        drafts = [self._draft(endpoint, keyed=step.keyed) for endpoint in several]
        self._scene.batches += 1
        batch = self._scene.batches

        async def work() -> None:
            calls = [
                self._begin_send(endpoint, draft, batch)
                for endpoint, draft in zip(several, drafts, strict=True)
            ]

            def heard(answers: list[str | RefusedError]) -> None:
                for call, answer in zip(calls, answers, strict=True):
                    if isinstance(answer, RefusedError):
                        self._recorder.end(call, answer.code)
                    else:
                        call.message_id = answer

            await self._recorder.ask_all(calls, self._scene.client.send_batch(drafts), heard=heard)

        self._scene.begin(work)

    def resend(self, step: steps.Resend) -> None:
        """Send again with a key that was used."""
        if not self._scene.keyed:
            return
        endpoint, draft = self._scene.keyed[-1 - step.which % len(self._scene.keyed)]
        if step.altered:
            draft = msgspec.structs.replace(draft, payload=self._scene.payload(0))
        for _ in range(step.times):
            self._send_after(0, endpoint, draft)

    # -- pausing --------------------------------------------------------------------------------

    def pause(self, step: steps.Pause) -> None:
        """Pause, several times at once."""
        endpoint = self._scene.endpoint(step.endpoint)
        if endpoint is not None:
            for _ in range(step.times):
                self._scene.begin(lambda: self._pause(endpoint))

    def resume(self, step: steps.Resume) -> None:
        """Resume, several times at once."""
        endpoint = self._scene.endpoint(step.endpoint)
        if endpoint is not None:
            for _ in range(step.times):
                self._scene.begin(lambda: self.ask_resume(endpoint))

    async def _pause(self, endpoint: KnownEndpoint) -> None:
        call = self._recorder.begin(Operation.PAUSE, endpoint.name, endpoint_id=endpoint.id)
        await self._recorder.ask(call, self._scene.client.pause(endpoint.id))

    async def ask_resume(self, endpoint: KnownEndpoint) -> None:
        """Resume an endpoint."""
        call = self._recorder.begin(Operation.RESUME, endpoint.name, endpoint_id=endpoint.id)

        def heard(requeued: int) -> None:
            call.requeued = requeued

        await self._recorder.ask(call, self._scene.client.resume(endpoint.id), heard)

    def hold_and_release(self, step: steps.HoldAndRelease) -> None:
        """Pause, send, wait, resume."""
        endpoint = self._scene.endpoint(step.endpoint)
        if endpoint is None:
            return

        async def work() -> None:
            await self._pause(endpoint)
            for _ in range(step.count):
                await self._send(endpoint, self._draft(endpoint))
            await asyncio.sleep(step.held_s)
            await self.ask_resume(endpoint)

        self._scene.begin(work)

    def pause_amid_sends(self, step: steps.PauseAmidSends) -> None:
        """Send, and pause while the sends are on their way."""
        endpoint = self._scene.endpoint(step.endpoint)
        if endpoint is None:
            return
        for number in range(step.count):
            apart_s = 2 * step.after_s * number / step.count
            self._send_after(apart_s, endpoint, self._draft(endpoint))
        self._scene.later(step.after_s, lambda: self._scene.begin(lambda: self._pause(endpoint)))

    def toggle(self, step: steps.Toggle) -> None:
        """Pause and resume in turn."""
        endpoint = self._scene.endpoint(step.endpoint)
        if endpoint is None:
            return

        async def work() -> None:
            for number in range(step.times):
                await (self.ask_resume(endpoint) if number % 2 else self._pause(endpoint))

        self._scene.begin(work)

    # -- endpoints ------------------------------------------------------------------------------

    def create_endpoint(self, receiver: int, config: dict[str, Any]) -> None:
        """Create an endpoint; the others know of it when its id is answered."""
        scene = self._scene
        scene.names += 1
        number, name = scene.names - 1, f"/e{scene.names}"
        url = scene.url(receiver, name)

        async def work() -> None:
            call = self._recorder.begin(
                Operation.CREATE_ENDPOINT, name, config={"url": url} | config
            )

            def heard(made: NewEndpoint) -> None:
                call.endpoint_id, call.secret, call.key_id = made.id, made.key.secret, made.key.id
                scene.endpoints.append(
                    KnownEndpoint(
                        name=name, id=made.id, number=number, keys=[made.key], receiver=receiver
                    )
                )

            await self._recorder.ask(call, scene.client.create_endpoint(url, config), heard)

        scene.begin(work)

    def reconfigure(self, step: steps.Reconfigure) -> None:
        """Change an endpoint."""
        endpoint = self._scene.endpoint(step.endpoint)
        if endpoint is None:
            return
        changes = dict(step.changes)
        if step.receiver is not None:
            changes["url"] = self._scene.url(step.receiver, endpoint.name)
        self._scene.begin(lambda: self.ask_update(endpoint, changes))

    async def ask_update(self, endpoint: KnownEndpoint, changes: dict[str, Any]) -> None:
        """Change an endpoint."""
        call = self._recorder.begin(
            Operation.UPDATE_ENDPOINT, endpoint.name, config=changes, endpoint_id=endpoint.id
        )
        await self._recorder.ask(call, self._scene.client.update_endpoint(endpoint.id, changes))

    def delete_endpoint(self, step: steps.DeleteEndpoint) -> None:
        """Delete an endpoint, but never the last one."""
        endpoint = self._scene.endpoint(step.endpoint)
        if endpoint is None or sum(not each.deleted for each in self._scene.endpoints) == 1:
            return
        endpoint.deleted = True

        async def work() -> None:
            call = self._recorder.begin(
                Operation.DELETE_ENDPOINT, endpoint.name, endpoint_id=endpoint.id
            )
            await self._recorder.ask(call, self._scene.client.delete_endpoint(endpoint.id))

        self._scene.begin(work)

    def rotate_key(self, step: steps.RotateKey) -> None:
        """Add a signing key, or remove the oldest."""
        endpoint = self._scene.endpoint(step.endpoint)
        if endpoint is not None:
            work = self._remove_key if step.remove else self._add_key
            self._scene.begin(lambda: work(endpoint))

    async def _add_key(self, endpoint: KnownEndpoint) -> None:
        call = self._recorder.begin(Operation.ADD_KEY, endpoint.name, endpoint_id=endpoint.id)

        def heard(key: Key) -> None:
            call.key_id, call.secret = key.id, key.secret
            endpoint.keys.append(key)

        await self._recorder.ask(call, self._scene.client.add_key(endpoint.id), heard)

    async def _remove_key(self, endpoint: KnownEndpoint) -> None:
        key = endpoint.keys[0]
        call = self._recorder.begin(
            Operation.REMOVE_KEY, endpoint.name, endpoint_id=endpoint.id, key_id=key.id
        )

        def heard(_: None) -> None:
            if key in endpoint.keys:
                endpoint.keys.remove(key)

        await self._recorder.ask(call, self._scene.client.remove_key(endpoint.id, key.id), heard)

    # -- messages -------------------------------------------------------------------------------

    def look(self, step: steps.Look) -> None:
        """Look at an endpoint's messages."""
        endpoint = self._scene.endpoint(step.endpoint)
        if endpoint is not None:

            async def work() -> None:
                await self.look_at(endpoint, None)

            self._scene.begin(work)

    async def look_at(self, endpoint: KnownEndpoint, status: str | None) -> list[Seen]:
        """Return an endpoint's newest messages; none if there was no answer."""
        began_s = self._scene.loop.time()
        try:
            found = await self._scene.client.messages(endpoint.id, status=status, limit=_LOOKED_AT)
        except RefusedError:
            return []
        self._recorder.saw(began_s, found)
        return found

    def on_message(self, step: steps.OnMessage) -> None:
        """Look messages up, and do something to one of them."""
        endpoint = self._scene.endpoint(step.endpoint)
        if endpoint is None:
            return
        client = self._scene.client

        async def work() -> None:
            found = await self.look_at(endpoint, step.status)
            if found:
                message_id = found[step.which % len(found)].id
                for _ in range(step.times):
                    self._scene.begin(lambda: act(message_id))

        async def act(message_id: str) -> None:
            call = self._recorder.begin(
                Operation(step.operation),
                endpoint.name,
                message_id=message_id,
                endpoint_id=endpoint.id,
            )
            await self._recorder.ask(call, client.on_message(step.operation, message_id))

        self._scene.begin(work)
