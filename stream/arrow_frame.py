"""One Arrow record batch inside one zstd frame, opened without trusting a byte of it.

Nothing is allocated that the frame did not declare, and nothing is declared above the bound: the zstd frame must state
its size, the Arrow body must not be compressed a second time, and the batch must pass Arrow's full validation.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import islice

import pyarrow as pa
import zstandard

from stream.dead_letters import BadMessageError, Reason

MAX_UNPACKED_BYTES = 64 << 20


def seal(batch: pa.RecordBatch, level: int = 1) -> bytes:
    """The batch as an Arrow IPC stream in a zstd frame that declares its size."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return zstandard.ZstdCompressor(level=level, write_content_size=True).compress(sink.getvalue())


def open_frame(value: bytes | None, max_rows: int, check_schema: Callable[[pa.Schema], None]) -> pa.RecordBatch:
    """The one batch in `value`, over memory of its own. `check_schema` sees the schema before any column is read.

    Raises BadMessageError, and nothing else, whatever the bytes are.
    """
    ipc = _unpack(value)
    try:
        messages = _messages(ipc)
        schema = pa.ipc.read_schema(messages[0])
        check_schema(schema)
        _refuse_compressed_body(messages[1].metadata)
        batch = pa.ipc.read_record_batch(messages[1], schema)
        if batch.num_rows > max_rows:
            raise BadMessageError(Reason.OVERSIZED, f"{batch.num_rows} rows; a message holds at most {max_rows}")
        batch.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError, struct.error) as error:
        raise BadMessageError(Reason.MALFORMED, f"not an Arrow stream with one batch: {error}") from error
    return batch


def _unpack(value: bytes | None) -> bytes:
    if value is None:
        raise BadMessageError(Reason.MALFORMED, "no value; a zstd frame was expected")
    try:
        declared = zstandard.frame_content_size(value)
    except zstandard.ZstdError as error:
        raise BadMessageError(Reason.MALFORMED, f"not a zstd frame: it begins {value[:8].hex()!r}") from error
    if declared < 0:
        raise BadMessageError(Reason.MALFORMED, "the zstd frame does not declare its size; write it with content size")
    if declared > MAX_UNPACKED_BYTES:
        raise BadMessageError(Reason.OVERSIZED, f"unpacks to {declared} bytes; at most {MAX_UNPACKED_BYTES} are read")
    try:
        return zstandard.ZstdDecompressor().decompress(value, allow_extra_data=False)
    except zstandard.ZstdError as error:
        reason = Reason.TRUNCATED if "full frame" in str(error) else Reason.MALFORMED
        raise BadMessageError(reason, f"zstd frame of {len(value)} bytes: {error}") from error


def _messages(ipc: bytes) -> list[pa.Message]:
    """The schema and the batch. Anything more, dictionaries included, is refused."""
    source = pa.BufferReader(ipc)
    messages = list(islice(pa.ipc.MessageReader.open_stream(source), 3))
    if [message.type for message in messages] != ["schema", "record batch"]:
        found = ", ".join(message.type for message in messages) or "nothing"
        raise BadMessageError(Reason.MALFORMED, f"an Arrow stream of {found}; one schema and one batch were expected")
    if source.tell() != len(ipc):
        raise BadMessageError(Reason.MALFORMED, f"{len(ipc) - source.tell()} bytes follow the end of the Arrow stream")
    return messages


def _refuse_compressed_body(metadata: pa.Buffer) -> None:
    """Raise when the batch declares compressed buffers: each states its own unpacked size, which nothing bounds.

    pyarrow does not show that field, so it is looked up in the flatbuffer, which Arrow has verified on reading:
    Message {version, header_type, header, ...}, and header is RecordBatch {length, nodes, buffers, compression, ...}.
    """
    data = memoryview(metadata)
    message = struct.unpack_from("<I", data, 0)[0]
    header_field = _flatbuffer_field(data, message, 2)
    header = header_field + struct.unpack_from("<I", data, header_field)[0]
    if _flatbuffer_field(data, header, 3):
        raise BadMessageError(Reason.MALFORMED, "the Arrow body is compressed; only the zstd frame around it may be")


def _flatbuffer_field(data: memoryview, table: int, index: int) -> int:
    """Where field `index` of the table at `table` lies; 0 when the table has it not."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    size = struct.unpack_from("<H", data, vtable)[0]
    slot = 4 + 2 * index
    offset = struct.unpack_from("<H", data, vtable + slot)[0] if slot + 2 <= size else 0
    return table + offset if offset else 0
