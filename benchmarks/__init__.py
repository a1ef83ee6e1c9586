"""Measurements in ratios: each row against the limit of the machine it runs on."""
