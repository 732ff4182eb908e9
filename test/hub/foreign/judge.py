"""Google's protobuf as the judge: with `schema` it prints what OTLP's official schema knows, else what it reads in requests, a line of
`signal base64` each, as JSON, or null for one that it refuses."""

import base64
import json
import sys

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}


def fields(descriptor, known):
    if descriptor.name not in known:
        known[descriptor.name] = {field.number: field.name for field in descriptor.fields}
        for field in descriptor.fields:
            if field.message_type:
                fields(field.message_type, known)
    return known


def read(line):
    signal, message = line.split(" ")
    try:
        request = REQUESTS[signal].FromString(base64.b64decode(message))
    except DecodeError:
        return None
    return MessageToDict(request, use_integers_for_enums=True)


if sys.argv[1:] == ["schema"]:
    known = {}
    for request in REQUESTS.values():
        fields(request.DESCRIPTOR, known)
    print(json.dumps(known))
else:
    for line in sys.stdin:
        print(json.dumps(read(line.rstrip("\n"))))
