"""All dashboards."""

from __future__ import annotations

from dashboards.fleet import FLEET
from dashboards.gpus import GPUS
from dashboards.itself import ITSELF
from dashboards.page import Page
from dashboards.placement import PLACEMENT
from dashboards.workload import WORKLOAD

PAGES: tuple[Page, ...] = (FLEET, WORKLOAD, GPUS, PLACEMENT, ITSELF)
