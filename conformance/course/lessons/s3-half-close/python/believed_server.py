"""Lesson s3, believed: who has said all can close. The side that answers."""

import os
import socket
import sys

QUESTION = 14

listener = socket.create_server((os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"])))

# A line of stdin.
answer = sys.stdin.buffer.readline().rstrip(b"\n")

sock, client = listener.accept()
question = b""
while len(question) < QUESTION:
    part = sock.recv(QUESTION - len(question))
    if not part:
        sys.exit("the stream ended before the question")
    question += part
sock.sendall(answer)
sock.close()
