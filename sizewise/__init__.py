"""The command line and the wiring. The only package that knows all the others."""
