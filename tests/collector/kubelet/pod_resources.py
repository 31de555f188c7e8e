"""podresources/v1 as protobuf itself encodes it, for tests and benches to play the kubelet."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_TEXT, _NUMBER = "", "int64"
_MESSAGES: dict[str, tuple[tuple[str, int, str, bool], ...]] = {
    "ListPodResourcesResponse": (("pod_resources", 1, "PodResources", True),),
    "AllocatableResourcesResponse": (
        ("devices", 1, "ContainerDevices", True),
        ("cpu_ids", 2, _NUMBER, True),
        ("memory", 3, "ContainerMemory", True),
    ),
    "PodResources": (
        ("name", 1, _TEXT, False),
        ("namespace", 2, _TEXT, False),
        ("containers", 3, "ContainerResources", True),
    ),
    "ContainerResources": (
        ("name", 1, _TEXT, False),
        ("devices", 2, "ContainerDevices", True),
        ("cpu_ids", 3, _NUMBER, True),
        ("memory", 4, "ContainerMemory", True),
        ("dynamic_resources", 5, "DynamicResource", True),
    ),
    "ContainerDevices": (("resource_name", 1, _TEXT, False), ("device_ids", 2, _TEXT, True)),
    "ContainerMemory": (("memory_type", 1, _TEXT, False), ("size", 2, _NUMBER, False)),
    "DynamicResource": (("claim_name", 2, _TEXT, False), ("claim_resources", 4, "ClaimResource", True)),
    "ClaimResource": (
        ("cdi_devices", 1, "CDIDevice", True),
        ("driver_name", 2, _TEXT, False),
        ("pool_name", 3, _TEXT, False),
        ("device_name", 4, _TEXT, False),
    ),
    "CDIDevice": (("name", 1, _TEXT, False),),
}
"""By message: name, number, type and whether it repeats, of each field (api.proto of k8s.io/kubelet)."""


def list_response() -> Any:
    """An empty ListPodResourcesResponse."""
    return _empty("ListPodResourcesResponse")


def allocatable_response() -> Any:
    """An empty AllocatableResourcesResponse."""
    return _empty("AllocatableResourcesResponse")


def _empty(wanted: str) -> Any:
    file = FileDescriptorProto(name="podresources.proto", package="v1", syntax="proto3")
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, number, kind, repeated in fields:
            plain = {_TEXT: FieldDescriptorProto.TYPE_STRING, _NUMBER: FieldDescriptorProto.TYPE_INT64}.get(kind)
            described.field.add(
                name=name,
                number=number,
                type=plain or FieldDescriptorProto.TYPE_MESSAGE,
                type_name=None if plain else f".v1.{kind}",
                label=FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL,
            )
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"v1.{wanted}"))()
