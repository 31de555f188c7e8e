"""The peers, each as a `SizingPolicy`: VPA, KRR, Autopilot, Kruize, CAST AI, Crane, fixed rules, and doing nothing."""
