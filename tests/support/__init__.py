"""What several suites share: a clock that stands still, a line in memory, receipts to sell."""
