// A sender that speaks OTLP by the OpenTelemetry SDK of Go. It is configured by the SDK's own environment variables, sends what
// expected.ts lists, and prints the ids of its spans.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otellog "go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const scope = "foreign"

var start = time.Unix(1795247342, 795000999)

var scopeAttributes = attribute.NewSet(attribute.String("kind", "test"))

func main() {
	ctx := context.Background()
	spans, metrics, logs := exporters(ctx)
	res, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "foreign"), attribute.StringSlice("languages", []string{"go"})))
	must(err)

	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(res))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics)),
		sdkmetric.WithResource(res), sdkmetric.WithView(views()...))
	loggers := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(logs)), sdklog.WithResource(res))

	tracer := tracers.Tracer(scope, trace.WithInstrumentationVersion("1.2.3"), trace.WithInstrumentationAttributeSet(scopeAttributes))
	parentCtx, parent := tracer.Start(ctx, "parent", trace.WithTimestamp(start), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attributes()...), trace.WithLinks(link()))
	_, child := tracer.Start(parentCtx, "child", trace.WithTimestamp(start), trace.WithSpanKind(trace.SpanKindClient))
	child.End(trace.WithTimestamp(start.Add(time.Millisecond)))
	parent.AddEvent("happened", trace.WithTimestamp(start.Add(time.Second)), trace.WithAttributes(attribute.Bool("ok", true)))
	parent.SetStatus(codes.Error, "it broke")
	parent.End(trace.WithTimestamp(start.Add(2 * time.Second)))

	measure(parentCtx, meters.Meter(scope, metric.WithInstrumentationVersion("1.2.3"), metric.WithInstrumentationAttributeSet(scopeAttributes)))
	write(parentCtx, loggers.Logger(scope, otellog.WithInstrumentationVersion("1.2.3"), otellog.WithInstrumentationAttributeSet(scopeAttributes)))

	must(tracers.Shutdown(ctx))
	must(meters.Shutdown(ctx))
	must(loggers.Shutdown(ctx))
	must(json.NewEncoder(os.Stdout).Encode(map[string]string{
		"traceId": parent.SpanContext().TraceID().String(),
		"parent":  parent.SpanContext().SpanID().String(),
		"child":   child.SpanContext().SpanID().String(),
	}))
}

func exporters(ctx context.Context) (spans sdktrace.SpanExporter, metrics sdkmetric.Exporter, logs sdklog.Exporter) {
	var errs [3]error
	if os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc" {
		spans, errs[0] = otlptracegrpc.New(ctx)
		metrics, errs[1] = otlpmetricgrpc.New(ctx)
		logs, errs[2] = otlploggrpc.New(ctx)
	} else {
		spans, errs[0] = otlptracehttp.New(ctx)
		metrics, errs[1] = otlpmetrichttp.New(ctx)
		logs, errs[2] = otlploghttp.New(ctx)
	}
	for _, err := range errs {
		must(err)
	}
	return spans, metrics, logs
}

// Everything that an attribute can be.
func attributes() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("session.id", "foreign"),
		attribute.String("text", "grüße 👋"),
		attribute.Bool("yes", true),
		attribute.Int64("int", 42),
		attribute.Int64("negative", -7),
		attribute.Int64("large", 9007199254740993),
		attribute.Float64("double", 1.5),
		attribute.StringSlice("texts", []string{"a", "b"}),
		attribute.Int64Slice("ints", []int64{1, 2}),
		attribute.Float64Slice("doubles", []float64{0.5, 2.5}),
		attribute.BoolSlice("bools", []bool{true, false}),
		attribute.ByteSlice("bytes", []byte{0xde, 0xad, 0xbe, 0xef}),
		attribute.Map("map", attribute.Map("inner",
			attribute.Slice("list", attribute.IntValue(1), attribute.StringValue("two"), attribute.Value{}))),
	}
}

func link() trace.Link {
	return trace.Link{
		SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
			SpanID:  trace.SpanID{1, 2, 3, 4, 5, 6, 7, 8},
		}),
		Attributes: []attribute.KeyValue{attribute.String("why", "before")},
	}
}

func views() []sdkmetric.View {
	exponential := sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}
	explicit := sdkmetric.AggregationExplicitBucketHistogram{Boundaries: []float64{5, 50}}
	keep := attribute.NewAllowKeysFilter("by")
	return []sdkmetric.View{
		sdkmetric.NewView(sdkmetric.Instrument{Name: "foreign.exponential"}, sdkmetric.Stream{Aggregation: exponential}),
		sdkmetric.NewView(sdkmetric.Instrument{Name: "foreign.histogram"},
			sdkmetric.Stream{Aggregation: explicit, AttributeFilter: keep}),
	}
}

// Within the span, so that there are exemplars.
func measure(ctx context.Context, meter metric.Meter) {
	by := metric.WithAttributes(attribute.String("by", "a"))
	counter, err := meter.Int64Counter("foreign.counter", metric.WithUnit("1"), metric.WithDescription("counts"))
	must(err)
	counter.Add(ctx, 5, by)
	fraction, err := meter.Float64Counter("foreign.fraction")
	must(err)
	fraction.Add(ctx, 0.75)
	level, err := meter.Int64UpDownCounter("foreign.level")
	must(err)
	level.Add(ctx, -2)
	gauge, err := meter.Float64Gauge("foreign.gauge")
	must(err)
	gauge.Record(ctx, 1.5)
	_, err = meter.Int64ObservableGauge("foreign.observed", metric.WithInt64Callback(
		func(_ context.Context, observer metric.Int64Observer) error {
			observer.Observe(7)
			return nil
		}))
	must(err)
	histogram, err := meter.Float64Histogram("foreign.histogram", metric.WithUnit("ms"))
	must(err)
	for _, value := range []float64{1, 20, 300} {
		histogram.Record(ctx, value, metric.WithAttributes(attribute.String("by", "a"), attribute.String("other", "b")))
	}
	exponential, err := meter.Float64Histogram("foreign.exponential")
	must(err)
	for _, value := range []float64{0, 1, 2, 4} {
		exponential.Record(ctx, value)
	}
}

func write(ctx context.Context, logger otellog.Logger) {
	var record otellog.Record
	record.SetTimestamp(start)
	record.SetObservedTimestamp(start.Add(time.Second))
	record.SetSeverity(otellog.SeverityWarn)
	record.SetSeverityText("WARN")
	record.SetEventName("an.event")
	record.SetBody(attribute.MapValue(attribute.String("words", "something"), attribute.Int("count", 2)))
	record.AddAttributes(attributes()...)
	logger.Emit(ctx, record)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
