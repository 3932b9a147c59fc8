package handlers

import (
	"net/http"
	"net/http/pprof"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Internal serves what must not be public: metrics and profiles, and health beside them. Router comes first: it makes what
// counts the requests.
func (s *Server) Internal() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(s.registry(), promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("/", s.Health.Router())
	return mux
}

// registry has everything that is measured.
func (s *Server) registry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), s.requests, s.Connections)
	s.Metrics.Register(registry)
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "belfry_build_info", Help: "1, with what this node was built from.",
		ConstLabels: prometheus.Labels{"version": s.Version, "go_version": runtime.Version(), "database": s.Metrics.DB.Dialect}})
	build.Set(1)
	registry.MustRegister(build)
	return registry
}
