package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// Profile has a node profile its CPU for so long, at least a second, and saves it. The node is asked at its
// INTERNAL_LISTEN.
func Profile(ctx context.Context, internal, path string, duration time.Duration) error {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", internal, max(duration.Seconds(), 1))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(file, response.Body)
	return err
}
