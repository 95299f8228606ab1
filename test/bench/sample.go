package main

import (
	"fmt"
	"slices"
	"strconv"
)

// sample is what a measurement gave, in the order of its rounds.
type sample []float64

func (s sample) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return (sorted[(len(s)-1)/2] + sorted[len(s)/2]) / 2
}

// String is the median, with the least and the most beside it.
func (s sample) String() string { return s.in("") }

// in is String with a unit.
func (s sample) in(unit string) string {
	switch len(s) {
	case 0:
		return "–"
	case 1:
		return figure(s[0]) + unit
	}
	return fmt.Sprintf("%s%s (%s–%s)", figure(s.median()), unit, figure(slices.Min(s)), figure(slices.Max(s)))
}

// over is the ratio in each round. What is measured by turns has the same
// neighbours in a round, so that the ratios vary less than what they are of.
func (s sample) over(other sample) sample {
	var ratios sample
	for i := range min(len(s), len(other)) {
		if other[i] != 0 {
			ratios = append(ratios, s[i]/other[i])
		}
	}
	return ratios
}

// apart tells a difference from chance as well as a few rounds can: each round of
// one is above, or below, all of the other.
func (s sample) apart(other sample) bool {
	if len(s) < 2 || len(other) < 2 {
		return false
	}
	return slices.Min(s) > slices.Max(other) || slices.Max(s) < slices.Min(other)
}

// figure writes three digits, or all before the point.
func figure(x float64) string {
	switch {
	case x >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}
