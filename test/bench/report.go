package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// report is what api prints of its subjects, in their order.
type report struct {
	results

	subjects []string
	sides    []side
}

func (r report) print() {
	measured := len(r.results[subjectRounds{r.subjects[0], clients[0]}])
	fmt.Printf("\nMedians of %d rounds by turns, with the least and the most beside them.\n", measured)
	fmt.Printf("%s writes the same rows in one transaction. %s is fastapi/app.py with 2 workers: its events are lost, and there are no consumers.\n", rowsAlone, fastAPI)
	fmt.Printf("\n| POST /api/tasks | clients | requests/s | p50 | p99 | failed |\n|---|---|---|---|---|---|\n")
	for _, c := range clients {
		for _, name := range r.subjects {
			r.printCreates(name, c)
		}
	}
	for _, s := range r.sides {
		r.printCreates(brokerStopped+s.label, 16)
	}
	fmt.Printf("\n| %d requests/s, from when each was due | p50 | p99 |\n|---|---|---|\n", openRate)
	for _, s := range r.sides {
		for _, name := range []string{publishingOn, publishingOff, untilAudit} {
			name += s.label
			fmt.Printf("| %s | %s | %s |\n", name, r.sample(name, atOpenRate, p50Of).in(" ms"), r.sample(name, atOpenRate, p99Of).in(" ms"))
		}
	}
	for _, name := range r.subjects {
		r.printCost(name)
	}
	for _, s := range r.sides {
		r.printDraining(s)
	}
	r.printRatios()
	fmt.Printf("\n| | |\n|---|---|\n")
	for _, s := range r.sides {
		ratio := r.sample(publishingOn+s.label, atOpenRate, p99Of).over(r.sample(publishingOff+s.label, atOpenRate, p99Of))
		fmt.Printf("| p99 of create at %d requests/s, publishing on ÷ off%s | %s |\n", openRate, s.label, ratio)
		fmt.Printf("| %s, beside as many task events%s | %s |\n", fromBacklog, s.label, r.sample(fromBacklog+s.label, 16, rateOf).in("/s"))
	}
	for _, s := range r.sides[1:] {
		r.printAgainst(s)
	}
}

func (r report) printCreates(name string, clients int) {
	failed := 0
	for _, one := range r.results[subjectRounds{name, clients}] {
		failed += one.failed
	}
	p50, p99 := r.sample(name, clients, p50Of), r.sample(name, clients, p99Of)
	if p50.median() == 0 {
		p50, p99 = nil, nil // not known
	}
	fmt.Printf("| %s | %d | %s | %s | %s | %d |\n", name, clients, r.sample(name, clients, rateOf), p50.in(" ms"), p99.in(" ms"), failed)
}

// byClients begins a table that has a column for each number of clients.
func byClients(title string) {
	fmt.Printf("\n| %s, by clients |", title)
	for _, c := range clients {
		fmt.Printf(" %d |", c)
	}
	fmt.Printf("\n|---|%s\n", strings.Repeat("---|", len(clients)))
}

// printRow is one of its rows.
func printRow(name string, value func(clients int) string) {
	fmt.Printf("| %s |", name)
	for _, c := range clients {
		fmt.Printf(" %s |", value(c))
	}
	fmt.Println()
}

// printCost writes what a create of a subject costs each process.
func (r report) printCost(name string) {
	processes := map[string]bool{}
	for _, c := range clients {
		for _, one := range r.results[subjectRounds{name, c}] {
			for p, ms := range one.cpu {
				processes[p] = processes[p] || ms >= .005
			}
		}
	}
	if len(processes) == 0 {
		return // there is no /proc
	}
	byClients("CPU ms for one create, " + name)
	for _, p := range slices.Sorted(maps.Keys(processes)) {
		if processes[p] && p != client {
			printRow(p, func(c int) string { return r.sample(name, c, func(one round) float64 { return one.cpu[p] }).String() })
		}
	}
	printRow("**all of these**", func(c int) string { return r.sample(name, c, round.total).String() })
	printRow(client, func(c int) string {
		return r.sample(name, c, func(one round) float64 { return one.cpu[client] }).String()
	})
}

// printDraining writes what the events of a create in a backlog cost each process, once
// the broker is back.
func (r report) printDraining(s side) {
	name := fromBacklog + s.label
	rounds := r.results[subjectRounds{name, 16}]
	if len(rounds) == 0 || len(rounds[0].cpu) == 0 {
		return // there is no /proc
	}
	fmt.Printf("\n| CPU ms for the two events of a create, %s | |\n|---|---|\n", name)
	for _, p := range slices.Sorted(maps.Keys(rounds[0].cpu)) {
		if p != client {
			fmt.Printf("| %s | %s |\n", p, r.sample(name, 16, func(one round) float64 { return one.cpu[p] }))
		}
	}
	fmt.Printf("| **all of these** | %s |\n", r.sample(name, 16, round.total))
}

// printRatios sets what creates of this tree are in a second against the others.
func (r report) printRatios() {
	byClients("ratio of creates a second")
	for _, pair := range [][2]string{{publishingOff, rowsAlone}, {publishingOn, rowsAlone}, {publishingOn, publishingOff}, {publishingOn, fastAPI}, {publishingOff, fastAPI}} {
		if slices.Contains(r.subjects, pair[1]) {
			printRow(pair[0]+" ÷ "+pair[1], func(c int) string {
				return r.sample(pair[0], c, rateOf).over(r.sample(pair[1], c, rateOf)).String()
			})
		}
	}
}

// printAgainst sets this tree against another side.
func (r report) printAgainst(s side) {
	fmt.Printf("\nThis tree ÷%s, in the same rounds. An asterisk: each round of one is above all of the other, as by chance they are once in %s.\n", strings.TrimPrefix(s.label, " at"), odds(len(r.results[subjectRounds{publishingOn, clients[0]}])))
	ratio := func(name string, clients int, of func(round) float64) string {
		ours, others := r.sample(name, clients, of), r.sample(name+s.label, clients, of)
		mark := ""
		if ours.apart(others) {
			mark = " *"
		}
		return ours.over(others).String() + mark
	}
	byClients("this tree ÷" + strings.TrimPrefix(s.label, " at"))
	for _, name := range []string{publishingOn, publishingOff} {
		printRow("creates a second, "+name, func(c int) string { return ratio(name, c, rateOf) })
		printRow("p50, "+name, func(c int) string { return ratio(name, c, p50Of) })
		printRow("p99, "+name, func(c int) string { return ratio(name, c, p99Of) })
		printRow("CPU for one create, "+name, func(c int) string { return ratio(name, c, round.total) })
	}
	fmt.Printf("\n| this tree ÷%s, %d requests/s | p50 | p99 |\n|---|---|---|\n", strings.TrimPrefix(s.label, " at"), openRate)
	for _, name := range []string{publishingOn, publishingOff, untilAudit} {
		fmt.Printf("| %s | %s | %s |\n", name, ratio(name, atOpenRate, p50Of), ratio(name, atOpenRate, p99Of))
	}
	fmt.Printf("\n| this tree ÷%s | |\n|---|---|\n| %s | %s |\n| creates a second, %s, 16 clients | %s |\n",
		strings.TrimPrefix(s.label, " at"), fromBacklog, ratio(fromBacklog, 16, rateOf), brokerStopped, ratio(brokerStopped, 16, rateOf))
}

// odds is how many ways there are to mix two rows of n rounds, for each way in which
// one is above all of the other.
func odds(n int) string {
	ways := 1.0
	for i := 1; i <= n; i++ {
		ways *= float64(n+i) / float64(i)
	}
	return figure(ways / 2)
}
