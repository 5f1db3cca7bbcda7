"""Lesson s1, believed: what was written at once is read at once. The side that writes."""

import os
import socket
import sys
import time

PAUSE = 0.02

server = (os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"]))
sock = socket.create_connection(server)
# What is written goes out at once, and does not wait for more.
sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

# Each message is a line of stdin. There is something to say every now and then.
for line in sys.stdin.buffer:
    message = line.rstrip(b"\n")
    sock.sendall(message)
    time.sleep(PAUSE)
sock.close()
