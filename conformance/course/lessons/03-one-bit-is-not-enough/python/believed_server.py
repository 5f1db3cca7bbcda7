"""Lesson 3, believed: one bit tells two messages apart. The side that delivers."""

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


expected = 0
while True:
    datagram, sender = sock.recvfrom(65535)
    if datagram[:1] != DATA or len(datagram) < 2 or datagram[1] > 1:
        continue
    bit = datagram[1]
    if bit == expected:
        deliver(datagram[2:])
        expected = 1 - expected
    # What is not the next one can only be the one before, again.
    sock.sendto(ACK + bytes([bit]), sender)
