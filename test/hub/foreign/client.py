"""A sender that speaks OTLP by the OpenTelemetry SDK of Python. It is configured by the SDK's own environment variables, sends what
expected.ts lists, and prints the ids of its spans."""

import json
import os
from importlib import import_module

from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

START = 1795247342795000999
SECOND = 1_000_000_000
SCOPE = {"version": "1.2.3", "attributes": {"kind": "test"}}
# Everything that an attribute can be.
ATTRIBUTES = {
    "session.id": "foreign",
    "text": "grüße 👋",
    "yes": True,
    "int": 42,
    "negative": -7,
    "large": 9007199254740993,
    "double": 1.5,
    "texts": ["a", "b"],
    "ints": [1, 2],
    "doubles": [0.5, 2.5],
    "bools": [True, False],
    "bytes": b"\xde\xad\xbe\xef",
    "map": {"inner": {"list": [1, "two", None]}},
}


def main() -> None:
    transport = "grpc" if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc" else "http"
    exporters = {
        name: getattr(import_module(f"opentelemetry.exporter.otlp.proto.{transport}.{module}"), name)()
        for module, name in [
            ("trace_exporter", "OTLPSpanExporter"),
            ("metric_exporter", "OTLPMetricExporter"),
            ("_log_exporter", "OTLPLogExporter"),
        ]
    }
    resource = Resource({"service.name": "foreign", "languages": ["python"]})
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(exporters["OTLPSpanExporter"]))
    reader = PeriodicExportingMetricReader(exporters["OTLPMetricExporter"])
    meters = MeterProvider([reader], resource=resource, views=views())
    loggers = LoggerProvider(resource=resource)
    loggers.add_log_record_processor(BatchLogRecordProcessor(exporters["OTLPLogExporter"]))

    tracer = tracers.get_tracer("foreign", SCOPE["version"], attributes=SCOPE["attributes"])
    other = SpanContext(0x0102030405060708090A0B0C0D0E0F10, 0x0102030405060708, is_remote=False)
    parent = tracer.start_span(
        "parent", kind=SpanKind.SERVER, attributes=ATTRIBUTES, links=[Link(other, {"why": "before"})], start_time=START
    )
    with trace.use_span(parent):
        child = tracer.start_span("child", kind=SpanKind.CLIENT, start_time=START)
        child.end(START + 1_000_000)
        parent.add_event("happened", {"ok": True}, START + SECOND)
        parent.set_status(Status(StatusCode.ERROR, "it broke"))
        measure(meters.get_meter("foreign", SCOPE["version"], attributes=SCOPE["attributes"]))
        loggers.get_logger("foreign", SCOPE["version"], attributes=SCOPE["attributes"]).emit(
            timestamp=START,
            observed_timestamp=START + SECOND,
            severity_number=SeverityNumber.WARN,
            severity_text="WARN",
            event_name="an.event",
            body={"words": "something", "count": 2},
            attributes=ATTRIBUTES,
        )
    parent.end(START + 2 * SECOND)
    for provider in (tracers, meters, loggers):
        provider.shutdown()
    ids = {"parent": parent.context.span_id, "child": child.context.span_id}
    print(json.dumps({"traceId": f"{parent.context.trace_id:032x}", **{name: f"{id:016x}" for name, id in ids.items()}}))


def views() -> list[View]:
    explicit = ExplicitBucketHistogramAggregation([5, 50])
    exponential = ExponentialBucketHistogramAggregation(max_size=160, max_scale=20)
    return [
        View(instrument_name="foreign.histogram", aggregation=explicit, attribute_keys={"by"}),
        View(instrument_name="foreign.exponential", aggregation=exponential),
    ]


def measure(meter) -> None:
    """Within the span, so that there are exemplars."""
    meter.create_counter("foreign.counter", "1", "counts").add(5, {"by": "a"})
    meter.create_counter("foreign.fraction").add(0.75)
    meter.create_up_down_counter("foreign.level").add(-2)
    meter.create_gauge("foreign.gauge").set(1.5)
    meter.create_observable_gauge("foreign.observed", [lambda _: [Observation(7)]])
    histogram = meter.create_histogram("foreign.histogram", "ms")
    for value in (1, 20, 300):
        histogram.record(value, {"by": "a", "other": "b"})
    exponential = meter.create_histogram("foreign.exponential")
    for value in (0, 1, 2, 4):
        exponential.record(value)


main()
