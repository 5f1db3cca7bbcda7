"""Lesson 2, mended: a number tells a repeat from something new. The side that delivers."""

import os
import socket
import struct
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
    if datagram[:1] != DATA or len(datagram) < 5:
        continue
    (number,) = struct.unpack(">I", datagram[1:5])
    if number == expected:
        deliver(datagram[5:])
        expected += 1
    # A repeat is answered again: the first answer may be lost.
    if number < expected:
        sock.sendto(ACK + struct.pack(">I", number), sender)
