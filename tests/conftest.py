"""What every test may use: the real services."""

pytest_plugins = ["tests.services.plugin"]
