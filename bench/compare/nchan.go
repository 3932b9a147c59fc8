package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"belfry/bench/server"
)

// nchanModule is where Debian's package puts it.
const nchanModule = "/usr/lib/nginx/modules/ngx_nchan_module.so"

// startNchan runs nginx with nchan as one would for many streams: one worker, for the generator has the other core, half a
// gigabyte of shared memory, no access log, connections that publish without end.
func startNchan(r *run1, _ shape) *site {
	r.t.Helper()
	if _, err := os.Stat(nchanModule); err != nil {
		r.t.Fatalf("nchan is missing, Debian's package libnginx-mod-nchan has it: %v", err)
	}
	dir, address := r.t.TempDir(), server.FreeAddress(r.t)
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(nchanConf(dir, address)), 0o600); err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), "nginx", "-c", conf, "-p", dir, "-e", "stderr", "-g", "daemon off;")
	// SIGTERM, for the worker outlives a master that was killed.
	return plainSite(address, launch(r.t, cmd, address, syscall.SIGTERM), r.template.data)
}

func nchanConf(dir, address string) string {
	var b strings.Builder
	if os.Geteuid() == 0 {
		b.WriteString("user root;\n") // the worker writes under a folder of our own
	}
	fmt.Fprintf(&b, "pid %s/pid;\nerror_log stderr crit;\nload_module %s;\n", dir, nchanModule)
	b.WriteString("worker_processes 1;\nworker_rlimit_nofile 20000;\nevents { worker_connections 19000; }\nhttp {\naccess_log off;\ntcp_nodelay on;\n")
	b.WriteString("keepalive_requests 1000000000;\nkeepalive_timeout 1h;\nnchan_shared_memory_size 512M;\n")
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "%s_temp_path %s/tmp-%[1]s;\n", kind, dir)
	}
	fmt.Fprintf(&b, "server {\nlisten %s backlog=4096;\n", address)
	b.WriteString("location = /stream { nchan_subscriber eventsource; nchan_channel_id $arg_topic; nchan_subscriber_first_message newest; }\n")
	b.WriteString("location = /publish { nchan_publisher; nchan_channel_id $arg_topic; nchan_message_buffer_length 256; nchan_message_timeout 5m; }\n}\n}\n")
	return b.String()
}
