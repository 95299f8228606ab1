// Package mailbox says which addresses are one mailbox, where mails to it are counted.
package mailbox

import "strings"

// Of is an address as mails to it are counted: in lower case, and without what many
// servers let anybody add to the local part. Mails to ada+1@ and ada+2@ come to one
// person.
func Of(address string) string {
	local, domain, _ := strings.Cut(strings.ToLower(address), "@")
	local, _, _ = strings.Cut(local, "+")
	return local + "@" + domain
}
