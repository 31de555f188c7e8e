"""What happens when things go wrong: the real commands on real logs, killed, starved, fed with rubbish, left alone.

`roles` runs a command of the product in a process that starts in milliseconds; `chaos` kills them; `outcome` is what a
log holds in the end, as something that can be compared bit for bit.
"""
