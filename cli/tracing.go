package cli

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"belfry/services/tracing"
)

// flushTimeout is how long a node that leaves waits for whoever collects traces.
const flushTimeout = 2 * time.Second

// startTracing has spans be made and sent where the standard variables of OpenTelemetry say where to, until stop is called. They
// are of the environment alone and no settings of Belfry's: whoever sets them sets them for all that runs there.
func startTracing(ctx context.Context, node string, log *slog.Logger) (stop func(), err error) {
	if !tracesWanted(log) {
		return func() {}, nil
	}
	otel.SetLogger(logr.Discard()) // it repeats variables that it cannot read, and a header may be a secret
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces cannot be sent", "error", err) }))
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, errors.New("OTEL_EXPORTER_OTLP_…: the exporter of traces cannot be made from these variables")
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attribute.String("service.name", "belfry"),
		attribute.String("service.version", buildInfo().Main.Version), attribute.String("service.instance.id", node)), resource.WithFromEnv())
	if err != nil {
		log.Warn("OTEL_RESOURCE_ATTRIBUTES cannot be read in full")
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	tracing.Use(provider)
	return func() {
		tracing.Use(nil)
		flushing, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		if err := provider.Shutdown(flushing); err != nil {
			log.Warn("the last traces could not be sent", "error", err)
		}
	}, nil
}

// tracesWanted reads the variables that the library leaves to the program. One that asks for what is not here is said and
// otherwise ignored, as the specification of OpenTelemetry has it.
func tracesWanted(log *slog.Logger) bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	switch os.Getenv("OTEL_TRACES_EXPORTER") {
	case "":
		if cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) == "" {
			return false
		}
	case "otlp":
	case "none":
		return false
	default:
		log.Warn("OTEL_TRACES_EXPORTER: expected otlp or none; no traces are sent")
		return false
	}
	if protocol := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")); protocol != "" && protocol != "http/protobuf" {
		log.Warn("OTEL_EXPORTER_OTLP_PROTOCOL: expected http/protobuf; no traces are sent")
		return false
	}
	return true
}
