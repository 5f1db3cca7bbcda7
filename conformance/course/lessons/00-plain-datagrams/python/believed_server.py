"""Lesson 0, believed: bytes go in at one end and come out at the other. The side that delivers."""

import os
import socket
import sys

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"])))


def deliver(message):
    """Each message is a line of stdout, at once, and not only when a buffer is full."""
    sys.stdout.buffer.write(message + b"\n")
    sys.stdout.buffer.flush()


received = b""
while True:
    data, sender = sock.recvfrom(65535)
    received += data
    while received and len(received) > received[0]:
        length = received[0]
        deliver(received[1 : 1 + length])
        received = received[1 + length :]
