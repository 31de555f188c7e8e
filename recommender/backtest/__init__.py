"""What sizing would have done: recorded usage replayed to sizewise and to its peers, VPA, KRR, Autopilot and the rest.

Law: a policy is given a `Past` and nothing else. All policies are scored by the same code under the same floors and caps.
Pure but for `datasets`, which reads files.
"""
