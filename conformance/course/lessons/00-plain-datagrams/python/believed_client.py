"""Lesson 0, believed: bytes go in at one end and come out at the other. The side that sends."""

import os
import socket
import sys

CHUNK = 8

server = (os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"]))
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

# Each message is a line of stdin. On the wire: its length in a byte, and its bytes, in pieces of 8.
for line in sys.stdin.buffer:
    message = line.rstrip(b"\n")
    data = bytes([len(message)]) + message
    for start in range(0, len(data), CHUNK):
        sock.sendto(data[start : start + CHUNK], server)
