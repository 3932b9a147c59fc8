package hub

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

// TestIndex: whoever comes and goes, each name finds exactly who is under it, with what was said last.
func TestIndex(t *testing.T) {
	t.Parallel()
	conns := make([]*Conn, 40)
	for i := range conns {
		conns[i] = &Conn{}
	}
	for seed := range uint64(20) {
		dice := rand.New(rand.NewPCG(seed, 0))
		x, model := index{}, map[string]map[*Conn]int64{}
		for step := range 2_000 {
			name, c := fmt.Sprint(dice.IntN(3)), conns[dice.IntN(len(conns))]
			if dice.IntN(2) == 0 {
				x.add(name, c, int64(step))
				if model[name] == nil {
					model[name] = map[*Conn]int64{}
				}
				model[name][c] = int64(step)
			} else {
				x.remove(name, c)
				if delete(model[name], c); len(model[name]) == 0 {
					delete(model, name)
				}
			}
			if len(x) != len(model) {
				t.Fatalf("seed %d, step %d: %d names, not %d", seed, step, len(x), len(model))
			}
			found, crowd := map[*Conn]int64{}, x[name]
			crowd.each(func(c *Conn, after int64) { found[c] = after })
			if len(found) != crowd.len() || !maps.Equal(found, model[name]) {
				t.Fatalf("seed %d, step %d: %v, not %v", seed, step, found, model[name])
			}
		}
	}
}
