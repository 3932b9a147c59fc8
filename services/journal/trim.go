package journal

import (
	"context"
	"strings"

	"gorm.io/gorm"
)

// trimBatch is how many entries one transaction deletes: few enough that a publish waits for
// milliseconds at most.
const trimBatch = 500

// Trim deletes entries older than the given moment (ms since 1970 UTC) and tells how many went. It
// works in small transactions; an error leaves what was deleted deleted.
func (j *Journal) Trim(ctx context.Context, before int64) (total int64, err error) {
	for ctx.Err() == nil {
		n, err := j.trimOnce(ctx, before)
		total += n
		if err != nil || n < trimBatch {
			return total, err
		}
	}
	return total, ctx.Err()
}

func (j *Journal) trimOnce(ctx context.Context, before int64) (n int64, err error) {
	err = j.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var rows []row
		err := tx.Table("entries").Select("log_offset", "audiences").Where("created_at < ?", before).
			Order("log_offset").Limit(trimBatch).Find(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		n = int64(len(rows))
		last := rows[n-1].LogOffset
		for audience := range audiencesOf(rows) {
			if err := tx.Exec("DELETE FROM recipients WHERE audience = ? AND log_offset <= ?", audience, last).Error; err != nil {
				return err
			}
		}
		if err := tx.Exec("DELETE FROM entries WHERE log_offset <= ?", last).Error; err != nil {
			return err
		}
		// Last, because every publish waits for this row.
		return tx.Exec("UPDATE log_head SET trimmed = ? WHERE trimmed < ?", last, last).Error
	})
	return n, err
}

func audiencesOf(rows []row) map[string]struct{} {
	set := map[string]struct{}{}
	for _, r := range rows {
		for _, a := range strings.Fields(r.Audiences) {
			set[a] = struct{}{}
		}
	}
	return set
}
