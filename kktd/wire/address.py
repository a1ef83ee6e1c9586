"""The printer's line as a setting names it.  Every form of address stands here.

`serial:///dev/ttyS0?baudrate=115200`, `tcp://host:7778`, and on the USB, wherever it is plugged in:
`usb://` (the only registrar there), `usb://VID:PID`, `usb://VID:PID/SERIAL`, percent-encoded, or in
one socket, `usb://VID:PID?place=1-1.2`.
"""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from kktd.errors import BadConfig
from kktd.wire.port import BAUDRATE_DEFAULT, TCP_PORT_DEFAULT, Port, SerialPort, TcpPort


def open_port(url: str) -> Port:
    """The port of an address; it opens, and looks for its device, at its first use.

    Raises BadConfig for what is no address.
    """
    try:
        parts = urlsplit(url)
        options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        baudrate = int(options.pop("baudrate", BAUDRATE_DEFAULT))
        tcp_port = (parts.port if parts.scheme == "tcp" else None) or TCP_PORT_DEFAULT
    except ValueError as error:
        raise BadConfig("the printer's port is not readable", url=url, reason=str(error)) from error
    place = options.pop("place", None) if parts.scheme == "usb" else None
    if options or baudrate <= 0:
        raise BadConfig("unknown options of the printer's port", url=url, options=sorted(options))
    if parts.scheme == "usb":
        return _usb_port(url, parts.netloc, unquote(parts.path[1:]), place, baudrate)
    if parts.scheme == "serial" and parts.path.startswith("/"):
        return SerialPort(parts.path, baudrate)
    if parts.scheme == "tcp" and parts.hostname:
        return TcpPort(parts.hostname, tcp_port)
    raise BadConfig("the printer's port is serial:///dev/…, usb://… or tcp://host:port", url=url)


def _usb_port(url: str, ids: str, serial: str, place: str | None, baudrate: int) -> Port:
    # Loaded here: a till with another line needs no libusb.
    from kktd.wire.usb import UsbBus, UsbId
    from kktd.wire.usb_port import UsbPort, Wanted

    if not ids and serial:
        raise BadConfig("a USB serial number needs VID:PID before it", url=url)
    try:
        wanted = Wanted(UsbId.parse(ids) if ids else None, serial or None, place)
    except ValueError as error:
        raise BadConfig("VID:PID are four hexadecimal digits each", url=url) from error
    return UsbPort(wanted, UsbBus(), baudrate)
