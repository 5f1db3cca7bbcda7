"""Lesson s4, mended: who hears nothing for long enough stops waiting. The side that asks."""

import os
import socket
import sys

# The byte of a heartbeat. The answer has none of them.
STILL_THERE = b"."

# After this long a silence the server counts as gone: several heartbeats long, so that TCP has time
# to retransmit a lost one.
SILENCE = 4

server = (os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"]))
sock = socket.create_connection(server, timeout=SILENCE)

# A line of stdin.
question = sys.stdin.buffer.readline().rstrip(b"\n")
sock.sendall(question)
sock.shutdown(socket.SHUT_WR)
answer = b""
try:
    while part := sock.recv(1024):
        answer += part.replace(STILL_THERE, b"")
except socket.timeout:
    sys.exit("the server is gone")
# The answer is a line of stdout.
print(answer.decode())
