"""The other ends of every cable: simulated registrar, ОФД and their control port.

Written from the vendors' documents (docs/sources.md).  Nothing here imports kktd, nothing in kktd
imports this.
"""
