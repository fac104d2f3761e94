#!/usr/bin/env python3
"""The cables of a lab on loopback: carries TCP connections to the hosts, late, slowly or not at all.

usage: relay.py LAB_DIR

For each host it listens on the address the others know and connects to the one the host's worker listens on. Bytes
arrive in order; a delay limits no bandwidth. While a cable is cut, connections stay open, new ones are accepted, and
nothing is carried; what was written before then arrives when it is healed. Reads LAB_DIR/relay.conf, again on SIGHUP,
and copies it to LAB_DIR/relay.done when it holds. A line is one of

    host NAME KNOWN-ADDRESS TRUE-ADDRESS CUT BITS-A-SECOND DELAY-MS
    parted NAME NAME
"""

import asyncio
import os
import signal
import socket
import sys

CHUNK = 65536  # bytes read at once
BACKLOG = 0.1  # seconds of a limited cable that may wait before it: a switch's queue
QUEUE_LIMIT = 64 << 20  # bytes under way in one direction of a connection


class Cable:
    """One host's cable: how fast, how long, and until when each direction is taken."""

    def __init__(self):
        self.cut, self.bytes_per_second, self.delay = False, 0.0, 0.0
        self.free = {"up": 0.0, "down": 0.0}

    def pass_through(self, direction, size, time):
        """When `size` bytes that come at `time` have come through."""
        if self.bytes_per_second:
            time = max(time, self.free[direction]) + size / self.bytes_per_second
            self.free[direction] = time
        return time + self.delay


class Lab:
    """The state of all cables, as the configuration says."""

    def __init__(self, folder):
        self.folder = folder
        self.hosts = {}  # name: (known address, true address)
        self.cables = {}
        self.parted = set()
        self.changed = asyncio.Event()
        self.load()

    def load(self):
        with open(os.path.join(self.folder, "relay.conf"), encoding="utf-8") as file:
            text = file.read()
        self.parted = set()
        for line in text.splitlines():
            kind, *words = line.split()
            if kind == "parted":
                self.parted.add(frozenset(words))
            else:
                name, known, true, cut, bits, delay = words
                self.hosts[name] = (known, true)
                cable = self.cables.setdefault(name, Cable())
                cable.cut, cable.delay = cut == "1", float(delay) / 1000
                cable.bytes_per_second = int(bits) / 8
                cable.free = {"up": 0.0, "down": 0.0}
        with open(os.path.join(self.folder, "relay.done"), "w", encoding="utf-8") as file:
            file.write(text)
        self.changed.set()
        self.changed = asyncio.Event()

    def silent(self, one, other):
        return self.cables[one].cut or self.cables[other].cut or frozenset((one, other)) in self.parted

    async def until_connected(self, one, other):
        while self.silent(one, other):
            await self.changed.wait()

    def host_of(self, far_port, near_port):
        """Which host dialled: the one whose worker has the far end's socket open, else the hub."""
        inode = inode_of(far_port, near_port)
        for name in self.hosts:
            try:
                with open(os.path.join(self.folder, name, "worker.pid"), encoding="utf-8") as file:
                    pid = file.read().split()[0]
                for descriptor in os.listdir(f"/proc/{pid}/fd"):
                    try:
                        if os.readlink(f"/proc/{pid}/fd/{descriptor}") == f"socket:[{inode}]":
                            return name
                    except OSError:
                        continue
            except (OSError, IndexError):
                continue
        return "hub"


def inode_of(port, other_port):
    """The inode of the loopback socket on `port` that is connected to `other_port`."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file.readlines()[1:]:
            fields = line.split()
            if fields[1].endswith(f":{port:04X}") and fields[2].endswith(f":{other_port:04X}"):
                return fields[9]
    return None


async def carry(lab, reader, writer, source, target):
    """Moves bytes one way until the end of the stream."""
    loop = asyncio.get_running_loop()
    under_way = asyncio.Queue()
    size = 0
    taken = asyncio.Event()

    async def take():
        nonlocal size
        last = 0.0
        while True:
            await lab.until_connected(source, target)
            try:
                data = await reader.read(CHUNK)
            except ConnectionError:
                data = None
            time = loop.time()
            length = len(data or b"")
            due = lab.cables[source].pass_through("up", length, time)
            due = lab.cables[target].pass_through("down", length, due)
            last = max(last, due)  # never past an earlier one, also when the delay has shrunk
            size += length
            under_way.put_nowait((last, data))
            if not data:
                return
            delay = lab.cables[source].delay + lab.cables[target].delay
            await asyncio.sleep(max(0.0, last - delay - BACKLOG - loop.time()))
            while size > QUEUE_LIMIT:
                taken.clear()
                await taken.wait()

    taking = asyncio.create_task(take())
    try:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            await lab.until_connected(source, target)
            if data is None:
                writer.transport.abort()
                return
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
            size -= len(data)
            taken.set()
    finally:
        taking.cancel()


async def connect(lab, name, reader, writer):
    """Serves one connection to the host `name`."""
    far, near = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
    source = lab.host_of(far[1], near[1])
    await lab.until_connected(source, name)
    host, port = lab.hosts[name][1].rsplit(":", 1)
    try:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
    except OSError:
        writer.transport.abort()  # nobody listens there: as refused as can be after accepting
        return
    for stream in (writer, far_writer):
        stream.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ways = [carry(lab, reader, far_writer, source, name), carry(lab, far_reader, writer, name, source)]
    tasks = [asyncio.create_task(way) for way in ways]
    await asyncio.gather(*tasks, return_exceptions=True)
    for stream in (writer, far_writer):
        stream.close()


async def main():
    lab = Lab(sys.argv[1])
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lab.load)
    for name, (known, true) in lab.hosts.items():
        if known != true:
            host, port = known.rsplit(":", 1)
            await asyncio.start_server(lambda r, w, name=name: connect(lab, name, r, w), host, int(port))
    print("relaying for", *lab.hosts, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
