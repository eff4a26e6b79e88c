"""HTTPS in front of a plain server: what a browser asks before it sends reports."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_CHUNK_BYTES = 64 * 1024


class Certificate:
    """A certificate for 127.0.0.1 that nobody knows.

    `pin` is for Chromium's --ignore-certificate-errors-spki-list, which makes it as good as a real one.
    """

    def __init__(self) -> None:
        leaf = trustme.CA().issue_cert("127.0.0.1")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(self.context)
        key = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).public_key()
        digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        self.pin = base64.b64encode(digest).decode()


@contextmanager
def https_front(certificate: Certificate, target_port: int) -> Iterator[int]:
    """A port that speaks TLS and passes everything on to the plain `target_port`."""
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_accept, args=(certificate.context, listener, target_port))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _accept(context: ssl.SSLContext, listener: socket.socket, target_port: int) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:  # the end of the test
            return
        threading.Thread(target=_serve, args=(context, plain, target_port), daemon=True).start()


def _serve(context: ssl.SSLContext, plain: socket.socket, target_port: int) -> None:
    with (
        suppress(OSError),
        context.wrap_socket(plain, server_side=True) as client,
        socket.create_connection(("127.0.0.1", target_port)) as server,
    ):
        threading.Thread(target=_copy, args=(client, server), daemon=True).start()
        _copy(server, client)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            sink.sendall(chunk)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
