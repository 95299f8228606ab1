package delivery

import (
	"math/rand/v2"
	"time"
)

// backoff doubles from base with each attempt up to limit, and spreads the
// result by a fifth either way, so that what failed together does not come
// back together.
func backoff(attempt int, base, limit time.Duration) time.Duration {
	d := limit
	if attempt < 1 {
		attempt = 1
	}
	// Beyond 30 doublings every base is past every limit.
	if attempt <= 30 && base<<(attempt-1) < limit {
		d = base << (attempt - 1)
	}
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
