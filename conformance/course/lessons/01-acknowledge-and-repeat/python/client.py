"""Lesson 1, mended: send, wait for the answer, send again if none comes. The side that sends."""

import os
import socket
import sys
import time

TIMEOUT = 0.2
DATA = b"\x00"
ACK = b"\x01"

server = (os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"]))
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def is_answered(answer):
    """Whether this answer comes in time. Others are of earlier messages, and do not count."""
    end = time.monotonic() + TIMEOUT
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            datagram, sender = sock.recvfrom(65535)
        except socket.timeout:
            return False
        if datagram == answer:
            return True
    return False


# Each message is a line of stdin.
for line in sys.stdin.buffer:
    message = line.rstrip(b"\n")
    while True:
        sock.sendto(DATA + message, server)
        if is_answered(ACK + message):
            break
