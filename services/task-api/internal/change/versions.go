package change

import "slices"

// Versions are those of a thing that a change is meant for; nil are all.
type Versions []int64

// Allow says whether a version is one of them.
func (v Versions) Allow(version int64) bool { return v == nil || slices.Contains(v, version) }
