package main

import "fmt"

// fewExamples is how many findings of a kind are told one by one.
const fewExamples = 5

// check is one comparison, and what it found.
type check struct {
	name     string
	compared int
	lost     int // should be there and is not
	doubled  int // is there more often than it should
	invented int // is there without a cause
	disorder int // is there in the wrong order

	log *journal
}

func (c *check) wrong() int { return c.lost + c.doubled + c.invented + c.disorder }

func (c *check) lose(format string, args ...any)   { c.count(&c.lost, "lost", format, args...) }
func (c *check) double(format string, args ...any) { c.count(&c.doubled, "doubled", format, args...) }
func (c *check) invent(format string, args ...any) { c.count(&c.invented, "invented", format, args...) }
func (c *check) misplace(format string, args ...any) {
	c.count(&c.disorder, "out of order", format, args...)
}

func (c *check) count(n *int, what, format string, args ...any) {
	if *n++; *n <= fewExamples {
		c.log.note("%s, %s: %s", what, c.name, fmt.Sprintf(format, args...))
	}
}
