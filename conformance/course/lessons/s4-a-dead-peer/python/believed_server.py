"""Lesson s4, believed: a connection whose other end is gone will tell. The side that answers."""

import os
import socket
import sys
import time

THINKS = 1

listener = socket.create_server((os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"])))

# A line of stdin.
answer = sys.stdin.buffer.readline().rstrip(b"\n")

sock, client = listener.accept()
while sock.recv(1024):
    pass
time.sleep(THINKS)
sock.sendall(answer)
sock.close()
