package cli

import "strings"

// fix says what to change, by the proxy that may stand in between.
type fix struct {
	Nginx   string `json:"nginx"`
	Apache  string `json:"apache"`
	Caddy   string `json:"caddy"`
	Traefik string `json:"traefik"`
}

func (f *fix) String() string {
	return "nginx: " + f.Nginx + " | Apache: " + f.Apache + " | Caddy: " + f.Caddy + " | Traefik: " + f.Traefik
}

// with puts a header's name where the directive has one.
func (f fix) with(header string) *fix {
	put := strings.NewReplacer("HEADER", header, "VARIABLE", "$http_"+strings.ReplaceAll(strings.ToLower(header), "-", "_")).Replace
	return &fix{put(f.Nginx), put(f.Apache), put(f.Caddy), put(f.Traefik)}
}

// The directives are those of nginx 1.22 and later, Apache 2.4, Caddy 2 and Traefik 3.
var (
	fixBuffering = &fix{
		"proxy_buffering off; in location /sse/, and no proxy_ignore_headers X-Accel-Buffering",
		"ProxyPass /sse/ http://…/sse/ flushpackets=on, and no mod_buffer there",
		"flush_interval -1 in reverse_proxy, and no response_buffers",
		"no buffering middleware; responseForwarding.flushInterval: 1ms",
	}
	fixCompression = &fix{
		"gzip off; in location /sse/ (brotli and zstd too)",
		"SetEnvIf Request_URI ^/sse/ no-gzip no-brotli",
		"@rest not path /sse/*, then encode @rest gzip",
		"compress.excludedContentTypes: text/event-stream",
	}
	fixProtocol = &fix{
		`proxy_http_version 1.1; and proxy_set_header Connection "";`,
		"no SetEnv force-proxy-request-1.0 and no proxy-nokeepalive",
		"transport http { versions 1.1 }",
		"it speaks HTTP/1.1: look at what stands between it and Belfry",
	}
	fixIdle = &fix{
		"proxy_read_timeout 60s; in location /sse/ (and keep send_timeout above the heartbeat)",
		"ProxyPass /sse/ http://…/sse/ timeout=3600, and RequestReadTimeout as it comes",
		"no read_timeout, write_timeout or stream_timeout below the heartbeat",
		"transport.respondingTimeouts.writeTimeout: 0s at the entry point, forwardingTimeouts.idleConnTimeout above the heartbeat",
	}
	fixRequestHeader = fix{
		"proxy_set_header HEADER VARIABLE; (in place of the line that empties it)",
		"no RequestHeader unset HEADER",
		"no header_up -HEADER in reverse_proxy",
		"no HEADER in headers.customRequestHeaders",
	}
	fixResponseHeader = fix{
		"no proxy_hide_header HEADER; and no more_clear_headers or add_header HEADER",
		"no Header unset or Header set HEADER",
		"no header_down -HEADER in reverse_proxy, and no header -HEADER",
		"no HEADER in headers.customResponseHeaders",
	}
	fixHost = &fix{
		"proxy_set_header Host $http_host;",
		"ProxyPreserveHost On",
		"no header_up Host in reverse_proxy",
		"loadBalancer.passHostHeader: true",
	}
	fixHTTP2 = &fix{
		"listen 443 ssl http2; (from 1.25.1 on: http2 on;)",
		"Protocols h2 http/1.1, with mod_http2",
		"servers { protocols h1 h2 }, as it comes",
		"h2 among tls.options.….alpnProtocols, as it comes",
	}
	fixCap = &fix{
		"http2_max_concurrent_streams 512; worker_connections 16384; and no limit_conn below /sse/",
		"H2MaxSessionStreams 512, MaxRequestWorkers above the streams you expect (mpm_event)",
		"no limit of its own: look at LimitNOFILE of its unit",
		"no inFlightReq middleware there; entryPoints.….http2.maxConcurrentStreams: 512",
	}
	fixReach = &fix{
		"proxy_pass to Belfry's LISTEN in location / (nginx.conf of the sources is whole)",
		"ProxyPass / http://127.0.0.1:8080/",
		"reverse_proxy 127.0.0.1:8080",
		"a router and a service with Belfry's address",
	}
)
