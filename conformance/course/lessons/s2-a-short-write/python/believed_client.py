"""Lesson s2, believed: what is given to `send` is written. The side that writes."""

import os
import socket
import struct
import sys
import time

PAUSE = 0.02
TIMEOUT = 5

server = (os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"]))
sock = socket.create_connection(server)
# A small buffer; and who does not want to wait forever for room in it sets a timeout.
sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
sock.settimeout(TIMEOUT)
# What is written goes out at once, and does not wait for more.
sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

# Each message is a line of stdin. There is something to say every now and then.
for line in sys.stdin.buffer:
    message = line.rstrip(b"\n")
    sock.send(struct.pack(">I", len(message)) + message)
    time.sleep(PAUSE)
sock.close()
