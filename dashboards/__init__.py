"""Grafana dashboards: Python sources here, the JSON that Grafana loads in `rendered/`.

`python -m dashboards` writes the JSON, `--check` says whether it is up to date. A query may use no metric that
models.metrics and models.fleet_metrics do not declare. It imports nothing of the stages: what it knows is the catalogue.
"""
