"""A typed client of the REST API: `pip install sizewise[client]`.

    from sizewise.client import Client, Job
    with Client("https://sizewise.example:8080", token="szw_...", ca_file="ca.pem") as client:
        decision = client.recommend(Job(image="ghcr.io/acme/bert:1", cpu_cores=8, memory_bytes=2**35, gpus=1))

Law: needs msgspec and httpx2 and nothing of the server. Answers are frozen structs; fields that a newer server adds are
ignored. Times are limited, and only what may be asked twice is asked twice.
"""

from sizewise.client.answers import Decision, Recommendation, Workload
from sizewise.client.client import Client
from sizewise.client.errors import ApiError, ClientError, Fault, UnavailableError
from sizewise.client.feed import Changed, Event, Removed, Reset
from sizewise.client.job import Job, Spot, Toleration

__all__ = [
    "ApiError",
    "Changed",
    "Client",
    "ClientError",
    "Decision",
    "Event",
    "Fault",
    "Job",
    "Recommendation",
    "Removed",
    "Reset",
    "Spot",
    "Toleration",
    "UnavailableError",
    "Workload",
]
