"""Lesson s3, mended: who has said all says so, and listens on. The side that answers."""

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
sock.shutdown(socket.SHUT_WR)
# Until the other side has said all too.
while sock.recv(1024):
    pass
sock.close()
