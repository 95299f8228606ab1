// Package limit bounds what one client takes of what all of them need.
//
// Sign-ins and registrations are counted in Postgres, for all replicas together
// (Windows): they are few, and whoever guesses would go from one replica to the
// next. Requests, writes, the pool's connections and the hashing of passwords
// are bounded in each replica (Requests, PerKey, Turns): it is that replica's memory
// and cores that they protect, and asking the database about each request would
// cost more than most requests do.
package limit

import (
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Settings are the limits that an operator may change. 0 turns one off.
type Settings struct {
	SignIns        int `env:"LIMIT_SIGN_INS" envDefault:"10" min:"0" max:"1000000"`
	SignInsNetwork int `env:"LIMIT_SIGN_INS_NETWORK" envDefault:"60" min:"0" max:"1000000"`
	Registrations  int `env:"LIMIT_REGISTRATIONS" envDefault:"20" min:"0" max:"1000000"`
	AccountMails   int `env:"LIMIT_ACCOUNT_MAILS" envDefault:"5" min:"0" max:"1000000"`
	Invitations    int `env:"LIMIT_INVITATIONS" envDefault:"50" min:"0" max:"1000000"`
	Writes         int `env:"LIMIT_WRITES" envDefault:"1200" min:"0" max:"1000000"`
	InFlight       int `env:"LIMIT_IN_FLIGHT" envDefault:"16" min:"0" max:"1000000"`
}

// ForPrograms are what of a client's requests and writes is for programs: three quarters.
// Whatever one sends that has got hold of a credential of his, he can look at what goes on,
// and end it.
func (s Settings) ForPrograms() Settings {
	s.Writes -= s.Writes / 4
	s.InFlight -= s.InFlight / 4
	return s
}

// The names of the limits in the metric of refusals.
const (
	signIns        = "sign_ins"
	signInsNetwork = "sign_ins_network"
	registrations  = "registrations"
	accountMails   = "account_mails"
	mailsNetwork   = "account_mails_network"
	invitations    = "invitations"
	writes         = "writes"
	inFlight       = "in_flight"
	share          = "share"
	hashing        = "hashing"
)

var refusals = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "taskwire_limit_refusals_total", Help: "Requests that a limit refused, with 429, or 503 where hashing was too busy.",
}, []string{"limit"})

func init() {
	// Start at 0, so that increase() sees the first refusal.
	for _, name := range []string{signIns, signInsNetwork, registrations, accountMails, mailsNetwork, invitations, writes, inFlight, share, hashing} {
		refusals.WithLabelValues(name)
	}
}

// Network is what counts as one network: an IPv4 address, or the /64 that an
// IPv6 address is in, which is the least that a provider gives to a customer.
func Network(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if addr = addr.Unmap().WithZone(""); addr.Is4() {
		return addr.String()
	}
	// An IPv6 address without a zone has a /64.
	return netip.PrefixFrom(addr, 64).Masked().String()
}

// atLeastASecond is what Retry-After can say at least.
func atLeastASecond(d time.Duration) time.Duration { return max(d, time.Second) }
