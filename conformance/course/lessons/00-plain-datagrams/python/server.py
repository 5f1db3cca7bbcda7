"""Lesson 0, mended: a message is a datagram. The side that delivers."""

import os
import socket
import sys

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"])))


def deliver(message):
    """Each message is a line of stdout, at once, and not only when a buffer is full."""
    sys.stdout.buffer.write(message + b"\n")
    sys.stdout.buffer.flush()


while True:
    message, sender = sock.recvfrom(65535)
    deliver(message)
