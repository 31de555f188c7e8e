"""`sizewise train`."""

from __future__ import annotations

from sizewise.lazy import LazyGroup

command = LazyGroup(
    "train",
    commands_at={
        "bottleneck": (
            "sizewise.commands.train_bottleneck",
            "Learn the GPU bottleneck class from windows with profiling counters.",
        ),
    },
    help="""Learn from what this fleet has measured.

    \b
    Examples:
      sizewise train bottleneck --out ./bottleneck
    """,
)
