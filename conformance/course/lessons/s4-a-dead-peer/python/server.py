"""Lesson s4, mended: who is alive says so now and then. The side that answers."""

import os
import socket
import sys
import time

THINKS = 1
EVERY = 0.25
STILL_THERE = b"."

listener = socket.create_server((os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"])))

# A line of stdin.
answer = sys.stdin.buffer.readline().rstrip(b"\n")

sock, client = listener.accept()
while sock.recv(1024):
    pass
end = time.monotonic() + THINKS
while (left := end - time.monotonic()) > 0:
    time.sleep(min(EVERY, left))
    sock.sendall(STILL_THERE)
sock.sendall(answer)
sock.close()
