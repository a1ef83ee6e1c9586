"""kktd: the till adapter that never loses a receipt and never prints one twice."""

__version__ = "0.1.0"
