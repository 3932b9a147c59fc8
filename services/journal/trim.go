package journal

import "context"

// trimBatch is how many entries one transaction deletes: few enough that a publish waits for
// milliseconds at most.
const trimBatch = 500

// Trim deletes entries older than the given moment (ms since 1970 UTC) and tells how many went. It
// works in small transactions; an error leaves what was deleted deleted.
func (j *Journal) Trim(ctx context.Context, before int64) (total int64, err error) {
	for ctx.Err() == nil {
		n, last, err := j.store.trim(ctx, before, trimBatch)
		total += n
		j.tail.trim(last)
		if err != nil || n < trimBatch {
			return total, err
		}
	}
	return total, ctx.Err()
}
