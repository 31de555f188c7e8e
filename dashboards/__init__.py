"""Grafana dashboards and alert rules: Python sources and the rendered files."""
