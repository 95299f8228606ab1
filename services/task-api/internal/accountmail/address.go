package accountmail

import (
	"net/mail"
	"strings"
	"unicode"

	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// CheckAddress refuses a field of a request that is no address.
func CheckAddress(field, text string) error {
	if !IsAddress(text) {
		return refuse.Part(field, "must be an email address, such as ada@example.org")
	}
	return nil
}

// IsAddress takes an address alone (RFC 5322, addr-spec), without a name or a comment, and
// without what could break out of the header of a mail. It refuses letters that become
// those of another address in small letters, such as the Kelvin sign: addresses are compared
// so, and mails do not go to where they are compared.
func IsAddress(text string) bool {
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text || parsed.Name != "" || strings.ContainsAny(text, " \t\r\n\"<>(),;") {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		if r <= unicode.MaxASCII {
			return false
		}
		for _, other := range []rune{unicode.ToLower(r), unicode.ToUpper(r), unicode.SimpleFold(r)} {
			if other <= unicode.MaxASCII {
				return true
			}
		}
		return r == 'İ' // in small letters it is an i with a dot of its own
	})
}

// SameAddress says whether two addresses are one, as the database has it: in small letters.
// To fold them would take more for one, such as ς and σ, which are two mailboxes.
func SameAddress(a, b string) bool { return strings.ToLower(a) == strings.ToLower(b) } //nolint:staticcheck // SA6005: that is the point
