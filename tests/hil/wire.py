"""A cable into a virtual till, frame by frame: what a stranger in the shop's network can learn.

Ethernet, IPv6 and mDNS by hand (RFC 8200, 4861, 9293, 6762): it needs no rights on this machine,
and nothing of this machine stands between the question and the till.
"""

from __future__ import annotations

import ipaddress
import random
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from typing import Final

OUR_MAC: Final = bytes.fromhex("525400770001")
TILL_MAC: Final = bytes.fromhex("525400770002")
ALL_MDNS: Final = ipaddress.IPv6Address("ff02::fb").packed
ALL_MDNS_MAC: Final = bytes.fromhex("3333000000fb")
IPV6: Final = 0x86DD
TCP, UDP, ICMP6 = 6, 17, 58
SYN, SYN_ACK = 0x02, 0x12
ECHO, ECHO_REPLY, SOLICITATION, ADVERTISEMENT = 128, 129, 135, 136
MDNS_PORT: Final = 5353
AAAA: Final = 28
OUR_PORT: Final = 40_000
BURST: Final = 100  # questions between two pings: fewer than a network card's ring holds
PING_S: Final = 30.0


def _link_local(mac: bytes) -> bytes:
    """The address a machine gives itself (RFC 4291, appendix A)."""
    return b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]


US: Final = _link_local(OUR_MAC)
TILL: Final = _link_local(TILL_MAC)


class Wire:
    """One more network card of a till, with this process at the far end."""

    def __init__(self) -> None:
        self._line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._line.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self._far: tuple[str, int] = free.getsockname()

    def machine(self) -> list[str]:
        """What QEMU wants besides."""
        near, far = self._line.getsockname()[1], self._far[1]
        return [
            "-netdev",
            "dgram,id=wire,local.type=inet,local.host=127.0.0.1,"
            f"local.port={far},remote.type=inet,remote.host=127.0.0.1,remote.port={near}",
            *("-device", f"virtio-net-pci,netdev=wire,mac={TILL_MAC.hex(':')}"),
        ]

    def close(self) -> None:
        self._line.close()

    def find_open_ports(self, ports: Iterable[int]) -> set[int]:
        """TCP ports that take a connection; raises TimeoutError if the till answers no ping."""
        found: set[int] = set()
        waiting = list(ports)
        while burst := waiting[:BURST]:
            del waiting[:BURST]
            for port in burst:
                self._send(TCP, _tcp(port))
            for kind, packet in self._until_pong():
                if kind == TCP and packet[13] & 0x3F == SYN_ACK:
                    found.add(int.from_bytes(packet[:2], "big"))
        return found

    def ask_name(self, name: str, within_s: float) -> bool:
        """Whether the till answers for NAME.local."""
        wanted = bytes([len(name)]) + name.encode() + b"\x05local\0"
        question = struct.pack(">6H", 0, 0, 1, 0, 0, 0) + wanted + struct.pack(">2H", AAAA, 1)
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            head = struct.pack(">4H", MDNS_PORT, MDNS_PORT, 8 + len(question), 0)
            self._send(UDP, head + question, ALL_MDNS, ALL_MDNS_MAC)
            for kind, packet in self._hear(min(until_s, time.monotonic() + 1.0)):
                is_answer = kind == UDP and packet[10] & 0x80
                if is_answer and wanted[:-1].lower() in packet.lower():
                    return True
        return False

    def _until_pong(self) -> Iterator[tuple[int, bytes]]:
        """All that comes until the till answers a ping: it takes frames in their order."""
        mark = random.randbytes(8)
        until_s = time.monotonic() + PING_S
        while time.monotonic() < until_s:
            self._send(ICMP6, struct.pack(">BBH", ECHO, 0, 0) + mark)
            for kind, packet in self._hear(min(until_s, time.monotonic() + 2.0)):
                if kind == ICMP6 and packet[0] == ECHO_REPLY and packet[4:12] == mark:
                    return
                yield kind, packet
        raise TimeoutError("the till answers no ping")

    def _hear(self, until_s: float) -> Iterator[tuple[int, bytes]]:
        """Protocol and payload of what the till sends us; neighbours are answered."""
        while (left_s := until_s - time.monotonic()) > 0:
            self._line.settimeout(left_s)
            try:
                frame = self._line.recv(65_536)
            except TimeoutError:
                return
            if int.from_bytes(frame[12:14], "big") != IPV6 or frame[22:38] != TILL:
                continue
            kind, packet = frame[20], frame[54:]
            if kind == ICMP6 and packet[0] == SOLICITATION:
                if packet[8:24] == US:
                    said = struct.pack(">BBHI", ADVERTISEMENT, 0, 0, 0x60000000)
                    self._send(ICMP6, said + US + b"\x02\x01" + OUR_MAC)
                continue
            yield kind, packet

    def _send(self, kind: int, packet: bytes, to: bytes = TILL, mac: bytes = TILL_MAC) -> None:
        place = {TCP: 16, UDP: 6, ICMP6: 2}[kind]
        pseudo = US + to + struct.pack(">II", len(packet), kind)
        check = struct.pack(">H", _checksum(pseudo + packet))
        packet = packet[:place] + check + packet[place + 2 :]
        head = struct.pack(">IHBB", 6 << 28, len(packet), kind, 255)
        frame = mac + OUR_MAC + struct.pack(">H", IPV6) + head + US + to + packet
        self._line.sendto(frame, self._far)


def _tcp(port: int) -> bytes:
    return struct.pack(
        ">HHIIBBHHH", OUR_PORT, port, random.getrandbits(32), 0, 5 << 4, SYN, 65_535, 0, 0
    )


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF or 0xFFFF
