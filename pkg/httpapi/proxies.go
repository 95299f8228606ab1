package httpapi

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks of the proxies in front of a service: whose word
// about where a request comes from is taken. There are none by default.
type Proxies []netip.Prefix

// maxHops is how many addresses of X-Forwarded-For are looked at.
const maxHops = 16

// UnmarshalText reads CIDRs with commas between them.
func (p *Proxies) UnmarshalText(text []byte) error {
	*p = nil
	if strings.TrimSpace(string(text)) == "" {
		return nil
	}
	for cidr := range strings.SplitSeq(string(text), ",") {
		network, err := netip.ParsePrefix(strings.TrimSpace(cidr))
		switch {
		case err != nil:
			return fmt.Errorf("networks such as 10.244.0.0/16, with commas between them: %w", err)
		case network.Bits() < 4:
			return errors.New("a network of that many addresses would let each client choose its own")
		case network.Addr().Is4In6():
			return fmt.Errorf("%s must be written as IPv4", network)
		}
		*p = append(*p, network.Masked())
	}
	return nil
}

// ClientAddress is the address that a request comes from. It is the peer's,
// unless that is one of the proxies: then it is the right-most address of
// X-Forwarded-For that is none of theirs, or the left-most where all are. Each
// proxy adds its own peer to the right, and what stands to the left of a
// client's address is what the client made up. Where the header makes no sense
// on the way there, the peer's address is the one that is certain.
func (p Proxies) ClientAddress(r *http.Request) string {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		peer = r.RemoteAddr
	}
	if addr, err := netip.ParseAddr(peer); err != nil || !p.include(addr.Unmap()) {
		return peer
	}
	rest := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
	for range maxHops {
		comma := strings.LastIndexByte(rest, ',')
		addr, ok := forwarded(rest[comma+1:])
		switch {
		case !ok:
			return peer
		case comma < 0 || !p.include(addr):
			return addr.String()
		}
		rest = rest[:comma]
	}
	return peer
}

func (p Proxies) include(addr netip.Addr) bool {
	for _, network := range p {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// forwarded reads an address as proxies write it; some add the port.
func forwarded(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	addr, err := netip.ParseAddr(text)
	if err != nil {
		with, err := netip.ParseAddrPort(text)
		if err != nil {
			return addr, false
		}
		addr = with.Addr()
	}
	// A zone can be any text, and means nothing on another machine.
	return addr.Unmap(), addr.Zone() == ""
}
