"""What kafka-python 3.0 can do and has no public way for. The dependency is pinned below 3.1 because of this module."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

from kafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.future import Future
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket, create_connection
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport


def await_step(producer: Any, result: Any, timeout_s: float) -> None:
    """Wait for one step of a transaction, which the public methods do without an end while the broker is away."""
    producer._sender.wakeup()
    if not result.wait(timeout_ms=max(0.0, timeout_s) * 1000):
        raise KafkaTimeoutError(f"no answer from the transaction coordinator in {timeout_s:.1f} s")


def send_offsets(producer: Any, offsets: Any, group: Any) -> Any:
    """The started step of `send_offsets_to_transaction`."""
    return producer._transaction_manager.send_offsets_to_transaction(offsets, group)


def begin_commit(producer: Any) -> Any:
    """The started step of `commit_transaction`."""
    return producer._transaction_manager.begin_commit()


def begin_abort(producer: Any) -> Any:
    """The started step of `abort_transaction`."""
    return producer._transaction_manager.begin_abort()


def cause_of(producer: Any, error: Exception) -> Exception:
    """Why a transaction is in its error state; the error itself says only that it is."""
    cause = producer._transaction_manager.last_error
    return cause if isinstance(cause, Exception) else error


def abandon(producer: Any, timeout_s: float = 1.0) -> None:
    """Close without sending what is queued. `close(0)` would raise while anything is, and stay open."""
    producer._sender.force_close()
    try:
        producer.close(timeout=timeout_s)
    except KafkaTimeoutError:
        producer._unregister_cleanup()  # its thread ends by itself when its request times out
        producer._closed = True


class _TidySocket(KafkaNetSocket):  # type: ignore[misc]
    """Connects directly, and closes what did not connect; kafka-python leaves it to the garbage collector. It is
    chosen by the scheme of `proxy_url`, the one place where kafka-python lets a connection be made otherwise."""

    SCHEMES = ("direct",)

    async def connect(self, net: Any, addrinfo: Any, socket_options: Any = (), timeout_at: Any = None) -> Any:
        family, kind, protocol, _, address = addrinfo
        sock = self.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            for option in socket_options:
                sock.setsockopt(*option)
            return await self.sock_connect(net, sock, address, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise


DIRECT = {"proxy_url": "direct://"}
"""The option that has every client connect through the above."""


class _ReadsToTheEnd:
    """What came together with the end of a connection is read before the end is noticed. kafka-python throws it away,
    and with it the broker's word on why it closes."""

    def _sock_recv(self) -> tuple[bytes, Exception | None]:
        data, error = super()._sock_recv()  # type: ignore[misc]
        return (data, None) if data else (data, error)


class _PlainTransport(_ReadsToTheEnd, KafkaTCPTransport):  # type: ignore[misc]
    pass


class _TlsTransport(_ReadsToTheEnd, KafkaSSLTransport):  # type: ignore[misc]
    pass


class _ConnectionManager(KafkaConnectionManager):  # type: ignore[misc]
    """Remembers that a login was refused, so that connecting ends with that error at once. kafka-python means to, and
    misses it, because the error is set on a future and not raised."""

    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        self._refusal: Exception | None = None

    def maybe_raise_auth_failure(self, node_id: Any) -> None:
        if self._refusal is not None and self.cluster.is_bootstrap(node_id):
            raise self._refusal

    def get_connection(self, node_id: Any, *args: Any, **options: Any) -> Any:
        connection = super().get_connection(node_id, *args, **options)
        if self.cluster.is_bootstrap(node_id) and "_sasl_authenticate" not in vars(connection):
            connection._sasl_authenticate = self._noticed(connection._sasl_authenticate)
        return connection

    def _noticed(self, log_in: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def noticed(*args: Any, **options: Any) -> None:
            try:
                await log_in(*args, **options)
            except (SaslAuthenticationFailedError, UnsupportedSaslMechanismError) as error:
                self._refusal = error
                raise

        return noticed

    async def _build_transport(self, node: Any, timeout_at: Any = None) -> Any:
        """As in kafka-python, and closes a socket whose TLS handshake failed."""
        options, proxy = self.config["socket_options"], self.config["proxy_url"]
        plain = await create_connection(
            self._net, node.host, node.port, options, proxy_url=proxy, timeout_at=timeout_at
        )
        if not self.ssl_enabled:
            return _PlainTransport(self._net, plain, host=node.host)
        config = {name: value for name, value in self.config.items() if name.startswith("ssl_")}
        transport = _TlsTransport(self._net, plain, host=node.host, **config)
        try:
            await transport.handshake()
        except BaseException as error:
            transport._sock.close()
            if isinstance(error, Exception):
                raise KafkaConnectionError(f"TLS handshake failed: {error}") from error
            raise
        return transport


class TidyClient(KafkaNetClient):  # type: ignore[misc]  # kafka-python has no types
    """Closes the sockets that a close in the middle of writing leaves to the garbage collector."""

    def __init__(self, **config: Any) -> None:
        loop = NetworkSelector(**config)
        super().__init__(net=loop, manager=_ConnectionManager(loop, **config))

    def close(self, node_id: Any = None) -> None:
        if node_id is not None:
            super().close(node_id)
            return
        self._net.stop()
        sockets = [key.fileobj for key in self._net._selector.get_map().values()] if not self._net._closed else []
        super().close()
        for left in sockets:
            left.close()


def complete(consumer: Any, future: Future) -> None:
    """Resolve a future that a coroutine of the consumer's event loop waits for, from another thread."""
    consumer._net.call_soon_threadsafe(lambda: future.success(None))


def forget_ownership(assignor: Any) -> None:
    """Let the next join claim no partition. kafka-python 3.0 claims what it owned before it was expelled, and without
    a generation, so that the claim may win over the real owner's."""
    assignor.member_assignment = None


def daemon(name: str, target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(name=name, target=target, daemon=True)
    thread.start()
    return thread
