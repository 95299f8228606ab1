package web

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

// What the server says of a request that it refuses is German in the German page, where that
// has words for it, and else what the server says.
func TestRefusalsInGerman(t *testing.T) {
	c := newUser(t)
	b := open(t)
	b.asksFor("de-DE")
	b.visit("/")
	b.click("button", "Konto anlegen")
	b.fill("textbox", "E-Mail-Adresse", c.Email)
	b.fill("textbox", "Passwort", "1234567890")
	b.click("button", "Konto anlegen")
	b.text("#password-wrong", "Das ist eines der Passwörter, die zuerst versucht werden: nimm ein anderes.")
	b.fill("textbox", "Passwort", suite.Password)
	b.click("button", "Konto anlegen")
	b.text("#email-wrong", "Mit dieser Adresse gibt es schon ein Konto.")
	b.click("button", "Zurück zur Anmeldung")
	b.fill("textbox", "Passwort", "wrong horse battery")
	b.click("button", "Anmelden")
	b.text("[role=alert]", "E-Mail-Adresse oder Passwort stimmen nicht.")

	evaluate[bool](b, `window.real = window.fetch, window.fetch = async () => new Response(JSON.stringify({type: "/problems/new", title: "Something new", status: 418, detail: "that is new"}), {status: 418}), true`)
	b.click("button", "Anmelden")
	b.text("[role=alert]", "that is new")
	evaluate[bool](b, `window.fetch = window.real, true`)

	b.fill("textbox", "Passwort", suite.Password)
	b.click("button", "Anmelden")
	b.see("heading", "Heute")
	create(t, c, object{"title": "Gießen", "due_at": "2031-01-31T09:00:00Z"})
	b.click("link", "Eingang 1 offene Aufgabe")
	b.click("button", "Gießen")
	b.choose("repeat", "other")
	b.fill("textbox", "Regel (RRULE)", "FREQ=DAILY;COUNT=0")
	b.text("#rule-wrong", "COUNT muss eine Zahl von 1 bis ")
	b.fill("textbox", "Regel (RRULE)", "FREQ=NEVER")
	b.text("#rule-wrong", "FREQ muss DAILY, WEEKLY, MONTHLY oder YEARLY sein.")
	require.Equal(t, "de", evaluate[string](b, "document.documentElement.lang.slice(0, 2)"))
}
