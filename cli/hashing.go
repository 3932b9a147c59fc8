package cli

import (
	"fmt"
	"io"
	"log/slog"

	"belfry/config"
	"belfry/services"
	"belfry/services/hashing"
)

// hashPasswords is what the server starts beside itself; it is no command for people.
func hashPasswords(in io.Reader, out, failures io.Writer) int {
	if err := hashing.Serve(in, out); err != nil {
		fmt.Fprintln(failures, "belfry:", err)
		return exitFailed
	}
	return exitDone
}

// newHasher has passwords hashed by a process of its own, to be closed at last. Where none can be started, as in a sandbox
// that forbids it, people can sign in all the same.
func newHasher(s *config.Settings, self string, log *slog.Logger) (*services.Hasher, *hashing.Process) {
	hasher := services.NewHasher(services.HashCost(s.Argon2))
	if self == "" {
		return hasher, nil
	}
	apart, err := hashing.Start(self, log)
	if err != nil {
		log.Warn("the server hashes passwords itself; many at once will delay streams", "error", err)
		return hasher, nil
	}
	hasher.Apart(apart)
	return hasher, apart
}
