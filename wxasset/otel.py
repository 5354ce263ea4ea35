"""OpenTelemetry spans and metrics; defined in `wxasset.integrations.opentelemetry`."""

from wxasset.integrations.opentelemetry import (
    OpenTelemetryHooks,
)

__all__ = ["OpenTelemetryHooks"]
