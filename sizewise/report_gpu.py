"""The GPU report: what limits each workload that has GPUs, on what evidence, which signals were there to tell, the MIG
slice to give it, and which known workload it behaves like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sizewise.slice_text import slice_line, speed_of
from sizewise.units import duration, share

Body = Mapping[str, Any]
_STYLE = {"compute": "green", "memory-bandwidth": "cyan", "io": "yellow", "latency": "yellow", "idle": "bold red"}
_SHORT = {
    "busy_ratio": "busy",
    "compute_ratio": "compute",
    "memory_ratio": "memory",
    "host_transfer_ratio": "host copies",
    "gpu_link_ratio": "gpu link",
    "power_ratio": "power",
}
_COUNTED = 0.999
_COST = ("usd_per_hour", "idle_usd_per_hour", "slice_saving_usd_per_hour", "source", "read_on")


def records(page: Body) -> Iterator[dict[str, Any]]:
    """One flat record per workload, for csv and markdown."""
    for workload in page["workloads"]:
        gpu = workload["gpu"]
        yield {
            "workload": workload["id"],
            "model": gpu["model"],
            "gpus": gpu["gpus"],
            "class": workload["bottleneck"]["class"],
            "io_kind": workload["bottleneck"]["io_kind"],
            "confidence_ratio": workload["bottleneck"]["confidence_ratio"],
            **{evidence["name"]: evidence["value"] for evidence in gpu["evidence"]},
            "counters_ratio": gpu["counters_ratio"],
            "learned_ratio": gpu["learned_ratio"],
            "covered_hours": gpu["covered_hours"],
            "time": " ".join(f"{named(part)}={part['time_ratio']}" for part in gpu["time"]),
            **_slice_record(workload["mig"] or {}),
            **_kin_record(workload["fingerprint"] or {}),
        }


def _slice_record(mig: Body) -> dict[str, Any]:
    return {
        "mig_action": mig.get("action"),
        "mig_profile": mig.get("mig_profile"),
        "mig_speed_ratio": speed_of(mig) if mig else None,
        "mig_safe": mig.get("safe"),
        "mig_probe": mig.get("probe"),
        "mig_reasons": " ".join(reason["code"] for reason in mig.get("reasons", ())),
        **{f"cost_{name}": (mig.get("cost") or {}).get(name) for name in _COST},
    }


def _kin_record(fingerprint: Body) -> dict[str, Any]:
    return {
        "fingerprint": fingerprint.get("verdict"),
        "like": fingerprint.get("workload"),
        "like_confidence_ratio": fingerprint.get("confidence_ratio"),
        "like_similarity_ratio": fingerprint.get("similarity_ratio"),
    }


def view(page: Body, width: int) -> RenderableType:
    """Lines under a heading per workload, at most `width` columns each where no word is longer."""
    lines: list[RenderableType] = []
    for workload in page["workloads"]:
        lines += [_heading(workload, width), _grid(workload)]
    return Group(*lines, Text(), Text(_total(page), "bold"))


def named(part: Body) -> str:
    """`io (host-transfer)`, or the class alone."""
    return f"{part['class']} ({part['io_kind']})" if part["io_kind"] != "none" else str(part["class"])


def _heading(workload: Body, width: int) -> Text:
    gpu, found = workload["gpu"], workload["bottleneck"]
    sure = f", {share(found['confidence_ratio'])} sure" if found["confidence_ratio"] is not None else ""
    what = f"{gpu['gpus']} x {gpu['model'] or 'unknown GPU'}" + (" slice" if gpu["mig_slice"] else "")
    heading = Text.assemble(
        (workload["name"] or workload["id"], "bold"),
        (f"  {what}, {duration(gpu['covered_hours'])} of GPU time  ", "dim"),
        (named(found), _STYLE.get(found["class"], "")),
        (sure, "dim"),
    )
    heading.truncate(width, overflow="ellipsis")
    return heading


def _grid(workload: Body) -> Table:
    gpu, mig = workload["gpu"], workload["mig"]
    known = [evidence for evidence in gpu["evidence"] if evidence["value"] is not None]
    grid = Table.grid(padding=(0, 2))
    for style in (None, "dim", None):
        grid.add_column(style=style)
    grid.add_row("", "time", ", ".join(f"{named(part)} {share(part['time_ratio'])}" for part in gpu["time"]))
    grid.add_row("", "evidence", ", ".join(f"{_SHORT[e['name']]} {share(e['value'])}" for e in known) + _position(gpu))
    grid.add_row("", "coverage", _coverage(gpu))
    grid.add_row("", "slice", slice_line(mig) if mig else "no recommendation yet")
    if cost := (mig or {}).get("cost"):
        grid.add_row("", "cost", cost_line(cost, mig["mig_profile"]))
    grid.add_row("", "kin", kin_line(workload))
    return grid


def cost_line(cost: Body, mig_profile: str | None) -> str:
    """What an hour costs, what of it is idle, what a slice would leave to others, and who says what a GPU costs."""
    parts = [f"${cost['usd_per_hour']:.2f} an hour"]
    if cost["idle_usd_per_hour"]:
        parts.append(f"${cost['idle_usd_per_hour']:.2f} of it idle")
    if cost["slice_saving_usd_per_hour"]:
        parts.append(f"{mig_profile} would leave ${cost['slice_saving_usd_per_hour']:.2f} to others")
    said = f"indicative: {cost['source']}, read on {cost['read_on']}" if cost["indicative"] else cost["source"]
    return f"{', '.join(parts)} ({said})"


def kin_line(workload: Body) -> str:
    """What it behaves like, or why that is not known."""
    found = workload["fingerprint"]
    if found is None:
        return str(workload["fingerprint_missing"] or "no recommendation yet")
    if found["verdict"] != "known":
        nearest = f"; nearest {_near(found['nearest'][0])}" if found["nearest"] else ""
        return str(found["sentence"]) + nearest
    like = "itself in runs before" if found["workload"] == workload["id"] else found["workload"]
    return f"{like}, {share(found['confidence_ratio'])} sure, {share(found['similarity_ratio'])} alike"


def _near(near: Body) -> str:
    return f"{near['workload']}, {share(near['similarity_ratio'])} alike"


def _position(gpu: Body) -> str:
    """Where on the roofline, as far as it can be told."""
    if gpu["intensity_flop_per_byte"] is None or gpu["ridge_flop_per_byte"] is None:
        return ""
    low, high = gpu["intensity_flop_per_byte"]
    return f"; {low:.0f} to {high:.0f} FLOP/byte, ridge {gpu['ridge_flop_per_byte']:.0f}"


def _coverage(gpu: Body) -> str:
    counted = gpu["counters_ratio"]
    how = "profiling counters" if counted else "NVML alone"
    if 0 < counted < _COUNTED:
        how += f" {share(counted)} of the time, else NVML alone"
    learned = f", {share(gpu['learned_ratio'])} by a taught model" if gpu["learned_ratio"] else ""
    missing = [_SHORT[e["name"]] for e in gpu["evidence"] if e["value"] is None]
    return how + learned + (f"; not seen: {', '.join(missing)}" if missing else "")


def _total(page: Body) -> str:
    gpus = sum(workload["gpu"]["gpus"] * (workload["instances_now"] or 1) for workload in page["workloads"])
    shown, total = len(page["workloads"]), page["total"]
    said = f"{shown} of {total} GPU workloads, {gpus} GPUs" if shown < total else f"{total} GPU workloads, {gpus} GPUs"
    return said + _money(page)


def _money(page: Body) -> str:
    """Sums over all instances of those whose price is known."""
    known = [(w["mig"]["cost"], w["instances_now"] or 1) for w in page["workloads"] if (w["mig"] or {}).get("cost")]
    if not known:
        return ""
    names = ("usd_per_hour", "idle_usd_per_hour", "slice_saving_usd_per_hour")
    whole, idle, left = (sum((cost[name] or 0.0) * instances for cost, instances in known) for name in names)
    listed = " by indicative list prices" if any(cost["indicative"] for cost, _ in known) else ""
    return f", ${whole:.2f} an hour{listed}: ${idle:.2f} idle, ${left:.2f} that slices would leave to others"
