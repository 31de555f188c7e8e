"""One module per command; each holds `command`. Imported only when used, and each imports only its own rooms."""
