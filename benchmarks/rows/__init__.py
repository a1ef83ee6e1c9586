"""One file a row or a family of rows; each has `ROWS`, a list of functions that return a Row."""
