"""A TCP connection's middle: counts the bytes that pass, and may look at them first."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Relay:
    """Passes connections on to a port of this machine."""

    def __init__(self, port: int) -> None:
        self.passed_bytes = 0
        """In both directions."""
        self.before_sending: Callable[[bytes], None] = lambda _: None
        """Called with what a client sends before it is passed on."""
        self.target: int | None = port
        """Where connections lead; None: nowhere, they are closed at once."""
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def run(self) -> None:
        """Accepts connections until `close`."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Accepts no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _relay(self, client: socket.socket) -> None:
        """Passes on in both directions; then closes, so that whoever still sends is told."""
        with client, suppress(OSError):
            if self.target is None:
                return
            with socket.create_connection(("127.0.0.1", self.target)) as server:
                answers = threading.Thread(target=self._pass, args=(server, client, False), daemon=True)
                answers.start()
                self._pass(client, server, True)
                answers.join()

    def _pass(self, source: socket.socket, sink: socket.socket, look: bool) -> None:
        how = socket.SHUT_WR
        try:
            while data := source.recv(65536):
                if look:
                    self.before_sending(data)
                with self._lock:
                    self.passed_bytes += len(data)
                sink.sendall(data)
        except OSError:  # one end is gone: the other must not wait for it
            how = socket.SHUT_RDWR
            with suppress(OSError):
                source.shutdown(how)
        with suppress(OSError):
            sink.shutdown(how)


@contextmanager
def relayed(port: int) -> Iterator[Relay]:
    """A relay that is running."""
    relay = Relay(port)
    thread = threading.Thread(target=relay.run)
    thread.start()
    yield relay
    relay.close()
    thread.join()
