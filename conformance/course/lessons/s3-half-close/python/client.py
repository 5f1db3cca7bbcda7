"""Lesson s3: who has said all can close. The side that asks."""

import os
import socket
import sys

ANSWER = 2

server = (os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"]))
sock = socket.create_connection(server)

# Two lines of stdin: the question, and more than anybody needs to know.
question, more = sys.stdin.buffer.read().splitlines()
sock.sendall(question + more)
answer = b""
while len(answer) < ANSWER:
    part = sock.recv(ANSWER - len(answer))
    if not part:
        sys.exit("the stream ended before the answer")
    answer += part
# The answer is a line of stdout.
print(answer.decode())
