package main

// outcome is how a node did at one size.
type outcome struct {
	fits bool
	why  string // it does not
	measured
}

// bounds say between which sizes is searched, and how closely.
type bounds struct {
	first   int     // the size to begin with
	most    int     // there is no more than this
	closely float64 // the share that the answer may be too small by
}

// limit is the greatest size that fitted, and the smallest that did not.
type limit struct{ best, over outcome }

// search finds the greatest size that fits: it doubles until one does not, then halves what lies between. Where
// most fits, nothing is over.
//
// A size that does not fit is tried once more, for one stall of a machine that others use too is not the node's limit.
func search(b bounds, try func(size int) (outcome, error)) (l limit, err error) {
	low, high := 0, b.most+1
	next := min(b.first, b.most)
	for {
		o, err := try(next)
		if err == nil && !o.fits {
			o, err = try(next)
		}
		if err != nil {
			return l, err
		}
		if o.fits {
			low, l.best = next, o
		} else {
			high, l.over = next, o
		}
		if low == b.most || l.over.size > 0 && high-low <= max(1, int(b.closely*float64(low))) {
			return l, nil
		}
		if next = (low + high) / 2; l.over.size == 0 {
			next = min(2*low, b.most)
		}
	}
}
