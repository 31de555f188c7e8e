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
        "fingerprint": (
            "sizewise.commands.train_fingerprint",
            "Learn what each GPU workload looks like, from the runs that the log holds.",
        ),
    },
    help="""Learn from what this fleet has measured.

    \b
    Examples:
      sizewise train bottleneck --out ./bottleneck
      sizewise train fingerprint --out ./fingerprint
    """,
)
