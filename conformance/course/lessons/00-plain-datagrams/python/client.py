"""Lesson 0, mended: a message is a datagram. The side that sends."""

import os
import socket
import sys

server = (os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"]))
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

# Each message is a line of stdin.
for line in sys.stdin.buffer:
    message = line.rstrip(b"\n")
    sock.sendto(message, server)
