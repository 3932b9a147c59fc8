package services

import (
	"fmt"
	"testing"

	"belfry/models"
)

// TestJoinWhileItGoes: who joins a group that is being removed, or a person who is being deleted to one, is told that it is not there.
func TestJoinWhileItGoes(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		for i := range 20 {
			name := fmt.Sprint("g", i)
			got(n.groups.Add(t.Context(), name, ""))(t)
			n.person(t, name)
			atOnce(3, func(k int) {
				var err error
				switch k {
				case 0:
					err = n.groups.Join(t.Context(), name, name)
				case 1:
					err = n.groups.Remove(t.Context(), name)
				default:
					err = n.users.Delete(t.Context(), name)
				}
				if err != nil && (k != 0 || models.CodeOf(err) == models.CodeInternal) {
					t.Errorf("%d: %v", k, err)
				}
			})
		}
	})
}
