"""What a job will need that has not run yet, told from workloads like it: its kin.

Law: pure and by columns; no I/O, no clock. Who is like it is told by words (image, command, name, model, labels, owner) and
sizes (batch, GPUs, requests). Every number comes with an interval that was calibrated on workloads which were left out, and
that is wide when kin are few or disagree. What cannot be told is missing with a reason.
"""

from recommender.kin.answer import Expected, KinAnswer, Relative
from recommender.kin.index import KinIndex
from recommender.kin.job import JobFacts

__all__ = ["Expected", "JobFacts", "KinAnswer", "KinIndex", "Relative"]
