"""A switch between network namespaces in user space, with latency and limited bandwidth.

For kernels without the queueing discipline netem, which does the same better. Each host has a TAP device whose other end is read
here; a frame leaves when its sender's link has had time for it, and arrives after the latency. Costs a core at full load.
"""

import fcntl
import heapq
import os
import select
import struct
import time

TUNSETIFF = 0x400454CA
TAP, NO_HEADER = 0x0002, 0x1000
BROADCAST = b"\xff" * 6


def tap(name):
    """Makes a TAP device and returns the file whose reads are the frames that it sends."""
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH", name.encode(), TAP | NO_HEADER))
    return file


def serve(files, seconds, bits_per_second):
    """Carries frames between the TAP devices for ever. `seconds` is the latency of one way."""
    wait = select.epoll()
    for file in files:
        wait.register(file, select.EPOLLIN)
    known, free, due, number = {}, {file: 0.0 for file in files}, [], 0
    while True:
        now = time.monotonic()
        timeout = max(0.0, due[0][0] - now) if due else 1.0
        for file, _ in wait.poll(timeout):
            # A bounded number, so that frames that are due are not kept waiting.
            for _ in range(64):
                try:
                    frame = os.read(file, 65536)
                except BlockingIOError:
                    break
                except OSError:
                    return  # The device is gone.
                now = time.monotonic()
                known[frame[6:12]] = file
                free[file] = max(free[file], now) + 8 * len(frame) / bits_per_second
                to = known.get(frame[:6])
                targets = [to] if to is not None else [other for other in files if other != file]
                for target in targets:
                    number += 1
                    heapq.heappush(due, (free[file] + seconds, number, target, frame))
        now = time.monotonic()
        while due and due[0][0] <= now:
            _, _, target, frame = heapq.heappop(due)
            try:
                os.write(target, frame)
            except BlockingIOError:
                pass  # A full queue drops frames, as real ones do.
            except OSError:
                return
