package middleware

import (
	"errors"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
)

// Requests counts what was asked and how it was answered, by the pattern of the route: a path would be a label that anybody
// can make more of.
type Requests struct {
	answers *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	late    prometheus.Counter
}

// requestBuckets are seconds. Most requests are one query, or one commit; a password takes its time.
var requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// NewRequests makes the counters.
func NewRequests() *Requests {
	return &Requests{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "belfry_http_requests_total", Help: "Requests answered, by method, pattern of the route and status."},
			[]string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "belfry_http_request_duration_seconds", Help: "Requests but for streams, until they were answered.",
			Buckets: requestBuckets}, []string{"method", "route"}),
		late: prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_http_bodies_late_total", Help: "Requests refused because their body was not there in time."}),
	}
}

// Describe gives what there is to be collected.
func (r *Requests) Describe(to chan<- *prometheus.Desc) {
	r.answers.Describe(to)
	r.seconds.Describe(to)
	r.late.Describe(to)
}

// Collect gives the figures as they stand.
func (r *Requests) Collect(to chan<- prometheus.Metric) {
	r.answers.Collect(to)
	r.seconds.Collect(to)
	r.late.Collect(to)
}

// Count counts each request, first of all handlers, so that it sees what became of it.
func (r *Requests) Count() gin.HandlerFunc {
	return func(c *gin.Context) {
		began := time.Now()
		aborted := true
		defer func() {
			method, route, status := methodName(c.Request.Method), routeName(c.FullPath()), "aborted"
			if !aborted {
				status = strconv.Itoa(c.Writer.Status())
			}
			r.answers.WithLabelValues(method, route, status).Inc()
			if !strings.HasPrefix(route, "/sse/") { // a stream lasts as long as its reader likes
				r.seconds.WithLabelValues(method, route).Observe(time.Since(began).Seconds())
			}
		}()
		c.Next()
		aborted = false
		if fault := c.Errors.Last(); fault != nil && errors.Is(fault, os.ErrDeadlineExceeded) {
			r.late.Inc()
		}
	}
}

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// methodName is the method, unless it is one of the caller's invention.
func methodName(method string) string {
	if slices.Contains(methods, method) {
		return method
	}
	return "other"
}

// routeName is the pattern of a route; the page, its files and what is not there have none.
func routeName(pattern string) string {
	if pattern == "" {
		return "other"
	}
	return pattern
}
