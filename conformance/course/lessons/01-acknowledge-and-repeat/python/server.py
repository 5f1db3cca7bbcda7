"""Lesson 1, mended: each message is answered. The side that delivers."""

import os
import socket
import sys

DATA = b"\x00"
ACK = b"\x01"

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"])))


def deliver(message):
    """Each message is a line of stdout, at once, and not only when a buffer is full."""
    sys.stdout.buffer.write(message + b"\n")
    sys.stdout.buffer.flush()


while True:
    datagram, sender = sock.recvfrom(65535)
    if datagram[:1] == DATA:
        message = datagram[1:]
        deliver(message)
        sock.sendto(ACK + message, sender)
