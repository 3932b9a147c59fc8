//go:build !unix

package cli

import "math"

// descriptorLimit is none: there is no such limit.
func descriptorLimit() (int, error) { return math.MaxInt, nil }
