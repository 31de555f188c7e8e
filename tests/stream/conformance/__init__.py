"""What every event log must do, whichever it is: one suite over all that tests/stream/conftest.py lists."""
