package recurrence

import "time"

// A series gets another anchor where its user changes its dates from one occurrence
// on. COUNT does not begin anew: the ordinal says which place the anchor has.

// AnchorAt is the anchor, and its ordinal, of the series from the current occurrence
// on, when that is to stand for the wall time to. Where the month has cut the current
// one short and to is of the same date, the anchor keeps its day: a monthly task of the
// 31st that is moved to another time of day in February is not one of the 28th.
//
// The error is a *FieldError: what Validate says, or one of the two is no wall time.
func (r Rule) AnchorAt(current, to string) (anchor string, ordinal int, err error) {
	s, on, begin, err := r.compileWith(current, to)
	if err != nil {
		return "", 0, err
	}
	if on == begin && s.rule.clamped(s.anchor, on) {
		anchor, err := r.Shift(current, to)
		return anchor, s.ordinal, err
	}
	return to, s.place(on), nil
}

// Place is the place in the series, from 1, of the last occurrence that is not after the
// current one. It is counted for COUNT alone: without it, and with basis "completion", it
// is the anchor's.
//
// The error is a *FieldError: what Validate says, or current is no wall time.
func (r Rule) Place(current string) (int, error) {
	s, on, _, err := r.compileWith(current, current)
	if err != nil {
		return 0, err
	}
	return s.place(on), nil
}

func (s *series) place(on day) int {
	place := s.ordinal
	if s.rule.count == 0 || s.completion {
		return place
	}
	for o := range s.after(s.anchor) {
		if o.day > on {
			break
		}
		place++
	}
	return place
}

// Clamps says whether the current occurrence is one of the rule's that a month has cut
// short, and the rule does not count: such a rule can go on from its anchor, whichever
// rule the occurrence came from.
//
// The error is a *FieldError: what Validate says, or current is no wall time.
func (r Rule) Clamps(current string) (bool, error) {
	s, on, _, err := r.compileWith(current, current)
	if err != nil || s.rule.count > 0 || !s.rule.clamped(s.anchor, on) {
		return false, err
	}
	for d := range s.rule.dates(s.anchor, on-1) {
		return d == on, nil
	}
	return false, nil
}

// Shift is the anchor of the series in another zone, or of another form (all-day or
// not), in which the current occurrence stands for the wall time to: its date moves by
// as many days, and its time of day is that of to. Its ordinal stays.
//
// The error is a *FieldError: what Validate says, or one of the two is no wall time.
func (r Rule) Shift(current, to string) (anchor string, err error) {
	s, on, begin, err := r.compileWith(current, to)
	if err != nil {
		return "", err
	}
	return (s.anchor + begin - on).midnight().Format(time.DateOnly) + to[len(time.DateOnly):], nil
}

func (r Rule) compileWith(current, to string) (s *series, on, begin day, err error) {
	if s, err = r.compile(); err != nil {
		return nil, 0, 0, err
	}
	if on, err = dayOfWall(current); err != nil {
		return nil, 0, 0, err
	}
	begin, err = dayOfWall(to)
	return s, on, begin, err
}
