"""Lesson s1, believed: what was written at once is read at once. The side that delivers."""

import os
import socket
import sys

listener = socket.create_server((os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"])))


def deliver(message):
    """Each message is a line of stdout, at once, and not only when a buffer is full."""
    sys.stdout.buffer.write(message + b"\n")
    sys.stdout.buffer.flush()


sock, client = listener.accept()
while message := sock.recv(1024):
    deliver(message)
