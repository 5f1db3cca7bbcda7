"""Lesson s1, mended: before each message comes its length. The side that delivers."""

import os
import socket
import struct
import sys

# The longest message. The other side says how much is to be kept for it: there must be a bound.
LONGEST = 1_000_000

listener = socket.create_server((os.environ["FAULTWIRE_SERVER"], int(os.environ["FAULTWIRE_PORT"])))


def deliver(message):
    """Each message is a line of stdout, at once, and not only when a buffer is full."""
    sys.stdout.buffer.write(message + b"\n")
    sys.stdout.buffer.flush()


def read_exactly(count):
    """So many bytes, however many reads that takes; none where the stream ends before."""
    data = b""
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part:
            return None
        data += part
    return data


sock, client = listener.accept()
while length := read_exactly(4):
    (count,) = struct.unpack(">I", length)
    if count > LONGEST:
        sys.exit("a message that is too long")
    message = read_exactly(count)
    if message is None:
        sys.exit("the stream ended within a message")
    deliver(message)
