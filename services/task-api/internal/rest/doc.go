// Package rest is the HTTP door of task-api: its routes, what a request says and
// an answer shows, and the problem documents that refusals become. What may be
// done, and what it does, is the domain's.
package rest
