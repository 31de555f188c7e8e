"""What every test may use: the real services. Properties are checked without a clock: tests do not measure time."""

from hypothesis import settings

pytest_plugins = ["tests.services.plugin"]

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
