"""One machine as a source: cgroups and /proc in, telemetry rows, events and inventory out.

Law: every root folder and every time is an argument, so a recorded tree is a machine. Files of the kernel are read
whole and parsed as bytes: 200 containers are 2,000 files a second, and 5 microseconds each are the whole budget.
"""
