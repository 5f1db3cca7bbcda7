"""Lesson s4, believed: a connection whose other end is gone will tell. The side that asks."""

import os
import socket
import sys

server = (os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"]))
sock = socket.create_connection(server)

# A line of stdin.
question = sys.stdin.buffer.readline().rstrip(b"\n")
sock.sendall(question)
sock.shutdown(socket.SHUT_WR)
answer = b""
while part := sock.recv(1024):
    answer += part
# The answer is a line of stdout.
print(answer.decode())
