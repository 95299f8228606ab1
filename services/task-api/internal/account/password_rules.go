package account

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

//go:embed common_passwords.txt
var commonPasswords string

// common are the passwords that whoever guesses tries first, in lower case.
var common = sync.OnceValue(func() map[string]bool {
	words := map[string]bool{}
	for line := range strings.Lines(commonPasswords) {
		if word := strings.TrimSpace(line); !strings.HasPrefix(word, "# ") {
			words[word] = true
		}
	}
	return words
})

// ofThePlace are the words that are tried first here, with whatever digits and signs around
// them (ASVS 5, 6.1.2).
var ofThePlace = []string{"taskwire", "taskwiretaskwire", "taskwirepassword", "passwordtaskwire", "taskwireadmin", "task-wire", "task wire", "mytaskwire"}

// checkNew refuses a new password of a user that others would guess. Any characters will
// do, and nothing has to be among them (NIST SP 800-63B, section 3.1.1.2).
func checkNew(field, password, email, name string) error {
	if n := utf8.RuneCountInString(password); n < 10 || n > 200 {
		return refuse.Part(field, "must have 10 to 200 characters")
	}
	is := strings.ToLower(strings.TrimSpace(password))
	local, _, _ := strings.Cut(email, "@")
	switch is {
	case strings.ToLower(email), strings.ToLower(local):
		return refuse.Part(field, "is the address; choose one that nobody would guess")
	case strings.ToLower(strings.TrimSpace(name)):
		return refuse.Part(field, "is the name; choose one that nobody would guess")
	}
	if slices.Contains(ofThePlace, strings.TrimFunc(is, func(r rune) bool { return !unicode.IsLetter(r) })) {
		return refuse.Part(field, "is a word of this place; choose one that nobody would guess")
	}
	if common()[is] {
		return refuse.Part(field, "is one of the passwords that are tried first; choose another")
	}
	return nil
}
