"""Every real service, by name."""

from __future__ import annotations

from deploy.services.kafka import KAFKA
from deploy.services.kubernetes import KUBERNETES
from deploy.services.mimir import MIMIR
from deploy.services.prometheus import PROMETHEUS
from deploy.services.prometheus3 import PROMETHEUS3
from deploy.services.service import Service, ServiceError
from deploy.services.thanos import THANOS
from deploy.services.vegeta import VEGETA
from deploy.services.victoria_metrics import VICTORIA_METRICS
from deploy.services.vpa_admission import VPA_ADMISSION

SERVICES: dict[str, Service] = {
    service.name: service
    for service in (
        *(KAFKA, PROMETHEUS, PROMETHEUS3, VICTORIA_METRICS, KUBERNETES),
        *(VEGETA, VPA_ADMISSION, THANOS, MIMIR),
    )
}


def service_named(name: str) -> Service:
    """Raises ServiceError with the names there are."""
    if name not in SERVICES:
        raise ServiceError(f"no service {name!r}; there are: {', '.join(SERVICES)}")
    return SERVICES[name]
