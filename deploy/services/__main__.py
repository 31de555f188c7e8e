"""`python -m deploy.services build [NAME...] | run NAME [--port N] | status`."""

from __future__ import annotations

import time

import click

from deploy.services.cache import Cache
from deploy.services.registry import SERVICES, service_named
from deploy.services.service import Service, ServiceError
from deploy.services.tools import provide


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Real services for tests, benchmarks and play."""


@main.command()
@click.argument("names", nargs=-1)
def build(names: tuple[str, ...]) -> None:
    """Fetch and build services (those that the tests use without NAMES), once per version."""
    cache = Cache.from_environment()
    wanted = [service_named(name) for name in names] or [s for s in SERVICES.values() if s.used_by == "tests"]
    for service in wanted:
        _build(cache, service)


@main.command()
@click.argument("name")
@click.option("--port", type=click.IntRange(1, 65535), help="Listen here. Default: a free port.")
def run(name: str, port: int | None) -> None:
    """Start a service to play with, until Ctrl-C."""
    service, cache = service_named(name), Cache.from_environment()
    if service.start is None:
        raise ServiceError(f"{service} is no server of its own: it {service.about}")
    _build(cache, service)
    click.echo(f"starting {service}")
    running = service.start(cache.require(service), port)
    try:
        for line in (*running.hint(), "Ctrl-C ends it and removes its data"):
            click.echo(f"  {line}")
        status = running.wait()
        raise ServiceError(f"{service} ended by itself with {status}")
    except KeyboardInterrupt:
        click.echo(f"\nending {service}")
    finally:
        running.close()


@main.command()
def status() -> None:
    """List the services and whether they are built."""
    cache = Cache.from_environment()
    click.echo(f"in {cache.root}")
    for service in SERVICES.values():
        state = "built" if cache.has(service) else f"not built ({service.cost}): {service.how_to_build}"
        click.echo(f"  {service!s:<24} {service.about:<32} {state}")


def _build(cache: Cache, service: Service) -> None:
    """One line before the work and one after, so that a long one is seen to go on."""
    if cache.has(service):
        click.echo(f"  {service}: there already")
        return
    provide(service.tools, lambda line: click.echo(f"  {service}: {line}"))
    click.echo(f"  {service}: fetching and building ({service.cost})")
    began_s = time.monotonic()
    cache.build(service, lambda line: click.echo(f"  {service}: {line}"))
    click.echo(f"  {service}: done in {time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except ServiceError as error:
        raise SystemExit(f"error: {error}") from error
