#!/usr/bin/env python3
"""Delays a cable: copies Ethernet frames between two network interfaces, each some milliseconds late.

usage: delay.py INTERFACE INTERFACE MILLISECONDS

Needs Linux and the right to open packet sockets, which the lab has inside its namespaces. TCP sees a longer way and
nothing else: acknowledgements are the far end's own, and a far end that is gone stays silent.
"""

import collections
import select
import signal
import socket
import sys
import time

SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
SO_RCVBUFFORCE = 33
ETH_P_ALL = 3
LARGEST = 1 << 17  # bytes of one frame; the kernel hands over up to 64 KiB before it cuts them to packets
QUEUE_LIMIT = 64 << 20  # bytes under way in one direction; what is more is lost, as in a switch
BATCH = 64  # frames taken from one side before the other has its turn


def open_interface(name):
    card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    # With this header a frame may be large and its checksum still open, as veth likes to hand them over.
    card.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    card.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    try:
        card.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    except OSError:
        card.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    card.bind((name, ETH_P_ALL))
    card.setblocking(False)
    return card


class Direction:
    """Frames from one interface, waiting to leave by the other."""

    def __init__(self, source, target, delay):
        self.source, self.target, self.delay = source, target, delay
        self.frames = collections.deque()  # (when it leaves, frame), in order
        self.size = 0

    def take(self):
        for _ in range(BATCH):
            try:
                frame = self.source.recv(LARGEST)
            except OSError:
                return  # nothing more for now, or the cable is cut
            if self.size + len(frame) <= QUEUE_LIMIT:
                self.frames.append((time.monotonic() + self.delay, frame))
                self.size += len(frame)

    def deliver(self):
        now = time.monotonic()
        while self.frames and self.frames[0][0] <= now:
            frame = self.frames.popleft()[1]
            self.size -= len(frame)
            try:
                self.target.send(frame)
            except OSError:
                pass  # the cable is cut, or its queue is full: lost


def main():
    left, right = open_interface(sys.argv[1]), open_interface(sys.argv[2])
    delay = float(sys.argv[3]) / 1000
    directions = [Direction(left, right, delay), Direction(right, left, delay)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("delaying", *sys.argv[1:], flush=True)
    while True:
        due = [d.frames[0][0] for d in directions if d.frames]
        wait = max(0.0, min(due) - time.monotonic()) if due else None
        readable = select.select([left, right], [], [], wait)[0]
        for direction in directions:
            if direction.source in readable:
                direction.take()
            direction.deliver()


if __name__ == "__main__":
    main()
