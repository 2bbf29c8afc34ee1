"""The summary of a run, told to people."""

from __future__ import annotations

from typing import Any


def told(summary: dict[str, Any]) -> str:
    """Tell a summary (docs/contracts.md) in lines of text."""
    operations, latency = summary["operations"], summary["latency_milliseconds"]
    lines = [
        f"{operations['ok']} ok, {operations['fail']} fail, {operations['info']} info in {summary['seconds']:.3f} s",
    ]
    if sum(operations.values()):
        lines.append(_statuses(summary["statuses"], sum(operations.values())))
    if summary["requests_per_second"] is not None:
        lines.append(f"{summary['requests_per_second']:.1f} requests/s")
    if latency["p50"] is not None:
        lines.append(f"latency p50 {latency['p50']:.3f} ms, p99 {latency['p99']:.3f} ms")
    if summary["cpu_microseconds_per_request"] is not None:
        lines.append(f"{summary['cpu_microseconds_per_request']:.1f} µs of processor time per request")
    if summary["answered_before_their_last_byte"]:
        lines.append(
            f"{summary['answered_before_their_last_byte']} were answered before their last byte: "
            "the server does not wait for the whole body, so nothing arrived together"
        )
    if summary["certificate_verified"] is False:
        lines.append("certificate not verified")
    lines.append(f"start skew {summary['start_skew_microseconds']} µs")
    streams = summary["maximum_concurrent_streams"]
    lines.append(f"{summary['connections']} connections, at most {streams} streams on each")
    return "\n".join(lines)


def _statuses(statuses: dict[str, int], total: int) -> str:
    counts = [f"{status}: {count}" for status, count in statuses.items()]
    if unanswered := total - sum(statuses.values()):
        counts.append(f"no answer: {unanswered}")
    return ", ".join(counts)
