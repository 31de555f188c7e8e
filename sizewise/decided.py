"""What `sizewise recommend --file` answers: by a running API, or by the log itself."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import orjson

from recommender.access.scope import EVERYTHING
from recommender.api.decide import Decider, Ground
from recommender.api.decide_body import JobRequest
from recommender.api.decide_format import rendered
from recommender.api.decide_kin import KinOf
from recommender.api.job_file import read_jobs
from recommender.api.settings import ApiSettings
from recommender.api.slices import SliceAdvisor
from recommender.decision import Format
from recommender.kin.keeper import KinKeeper
from recommender.placement.inventory import TopologyLabels
from recommender.supply import Supplies
from recommender.view import View
from recommender.view_query import QueryError
from sizewise.exits import FAILED, UNAVAILABLE, USAGE, Exit
from sizewise.options import TOKEN

_TIMEOUT_S = 30.0


def jobs_in(file: Path, cluster: str) -> list[JobRequest]:
    """Raises Exit for a file that holds no jobs; `-` is standard input."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        return read_jobs(text, cluster)
    except (OSError, UnicodeDecodeError) as error:
        raise Exit(f"cannot read --file {file}: {error}; name a file of jobs, - for standard input", USAGE) from error
    except QueryError as error:
        raise Exit(f"--file {file}: {error}", USAGE) from error


def by_view(view: View, settings: ApiSettings, jobs: Sequence[JobRequest], format: Format) -> bytes:
    """Of one job the answer alone, of several a list. Raises Exit."""
    snapshot = view.snapshot
    supplies = Supplies(TopologyLabels(settings.place.nvlink_labels, settings.place.rack_labels))
    kin = KinOf(KinKeeper(view), time.monotonic)
    ground = Ground(snapshot, supplies.of(snapshot.nodes), lambda: kin.index(snapshot, EVERYTHING))
    try:
        decisions = Decider(SliceAdvisor(settings.mig)).decide_all(ground, jobs)
        return bytes(rendered(decisions, format, alone=len(jobs) == 1).body)
    except QueryError as error:
        raise Exit(f"--file: {error}", USAGE) from error


def by_api(url: str, ca_file: Path | None, jobs: Sequence[JobRequest], format: Format) -> bytes:
    """Asks a running `sizewise serve` or `up`, with the token of SIZEWISE_TOKEN where there is one. Raises Exit."""
    try:
        from sizewise.client.errors import ApiError, ClientError
        from sizewise.client.transport import Limits, Transport
    except ModuleNotFoundError as error:
        raise Exit(f"--url needs {error.name}: pip install 'sizewise[client]'", FAILED) from error
    bodies = [job.model_dump(mode="json", exclude_unset=True) for job in jobs]
    body = orjson.dumps(bodies[0] if len(bodies) == 1 else bodies)
    limits, token = Limits(_TIMEOUT_S), os.environ.get(TOKEN)
    try:
        with closing(Transport(url, token, str(ca_file) if ca_file else None, limits, time.sleep)) as transport:
            return transport.post("/v1/recommend", body, {"format": format})
    except (ValueError, OSError) as error:
        raise Exit(f"--url {url}: {error}", USAGE) from error
    except ApiError as error:
        raise Exit(f"{url}: {error}", FAILED) from error
    except ClientError as error:
        raise Exit(f"{error}; is `sizewise up` or `serve` running there?", UNAVAILABLE) from error


def shown(content: bytes, format: Format) -> str:
    """JSON as people read it."""
    if format == "slurm":
        return content.decode().rstrip("\n")
    return orjson.dumps(orjson.loads(content), option=orjson.OPT_INDENT_2).decode()
