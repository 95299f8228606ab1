//go:build race

package costtest

// slack is how much dearer everything is under the race detector.
const slack = 30
