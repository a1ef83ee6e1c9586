"""The other ends of every cable: simulated registrar, ОФД and their control port.

Written from the vendors' documents (docs/sources.md); imports nothing from kktd, and kktd nothing from here.
"""
