"""Decodes a request that exports traces, from standard input, with OpenTelemetry's own classes."""

import sys

from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

request = ExportTraceServiceRequest.FromString(sys.stdin.buffer.read())
# What the decoder does not know it keeps without a word; the bytes differ then.
known = ExportTraceServiceRequest()
known.CopyFrom(request)
known.DiscardUnknownFields()
if known.SerializeToString(deterministic=True) != request.SerializeToString(deterministic=True):
    sys.exit("there are fields that OTLP does not know")
print(MessageToJson(request, indent=1))
