"""Messages of the records and fleet streams, read back when a partition is taken over."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from models.columns import Columns, Field
from recommender.sizing.fleet import FLEET_FIELDS, Fleet, together
from recommender.sizing.records import RECORD_FIELDS, Records
from recommender.slabs import Kept, fleet_key
from stream.columns_codec import decode_columns
from stream.contract import Record
from stream.dead_letters import BadMessageError
from stream.read_all import newest_by_key

_log = logging.getLogger(__name__)


def kept_of(partition: int, own: Mapping[str, Record], records: Iterable[Record], taught: Iterable[Record]) -> Kept:
    """What a partition goes on from. A record that cannot be read begins anew, after a warning."""
    read = {key: _read(record, RECORD_FIELDS) for key, record in newest_by_key(records).items()}
    known = fleets(taught)
    return Kept(
        own,
        {key: Records.read(columns) for key, columns in read.items() if columns is not None},
        known.get(fleet_key(partition), (Fleet.nothing(), Fleet.nothing()))[0],
        others_of(partition, known),
    )


def fleets(taught: Iterable[Record]) -> dict[str, tuple[Fleet, Fleet]]:
    """By key, what a partition taught: for itself, without its points (it knows its workloads), and for the others."""
    read = {key: _read(record, FLEET_FIELDS) for key, record in newest_by_key(taught).items()}
    whole = {key: Fleet.read(columns) for key, columns in read.items() if columns is not None and len(columns)}
    return {key: (Fleet(fleet.taught, Fleet.nothing().points), fleet) for key, fleet in whole.items()}


def others_of(partition: int, known: Mapping[str, tuple[Fleet, Fleet]]) -> Fleet:
    """The sum of the other partitions, in order of their keys."""
    own = fleet_key(partition)
    return together(whole for key, (_, whole) in sorted(known.items()) if key != own)


def _read(record: Record, table: tuple[Field, ...]) -> Columns | None:
    try:
        return decode_columns(record.value, table)
    except BadMessageError as error:
        _log.warning("%s/%d offset %d begins anew: %s", record.stream, record.partition, record.offset, error)
        return None
