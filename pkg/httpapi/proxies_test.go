package httpapi

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func proxies(t testing.TB, text string) Proxies {
	t.Helper()
	var p Proxies
	require.NoError(t, p.UnmarshalText([]byte(text)))
	return p
}

func TestClientAddressIsNotForTheClientToChoose(t *testing.T) {
	const ingress, balancer, client = "10.244.1.7:40112", "192.0.2.10", "203.0.113.9"
	for name, c := range map[string]struct {
		trusted   string
		peer      string
		forwarded []string // one for each line of the header
		want      string
	}{
		"nobody is trusted":                     {"", ingress, []string{client}, "10.244.1.7"},
		"the peer is not trusted":               {"10.0.0.0/24", ingress, []string{client}, "10.244.1.7"},
		"a client that comes straight":          {"10.244.0.0/16", client + ":1", []string{"10.244.1.7"}, client},
		"one proxy":                             {"10.244.0.0/16", ingress, []string{client}, client},
		"one proxy, which says nothing":         {"10.244.0.0/16", ingress, nil, "10.244.1.7"},
		"one proxy, and an empty header":        {"10.244.0.0/16", ingress, []string{""}, "10.244.1.7"},
		"the client adds an address":            {"10.244.0.0/16", ingress, []string{"198.51.100.1, " + client}, client},
		"the client adds a trusted one":         {"10.244.0.0/16", ingress, []string{"10.244.9.9, " + client}, client},
		"the client adds a line":                {"10.244.0.0/16", ingress, []string{"198.51.100.1", client}, client},
		"the client adds what is no address":    {"10.244.0.0/16", ingress, []string{"<script>, " + client}, client},
		"the client adds 60 kB":                 {"10.244.0.0/16", ingress, []string{strings.Repeat("1.1.1.1,", 7500) + client}, client},
		"the client adds 60 kB of trusted ones": {"10.244.0.0/16", ingress, []string{strings.Repeat("10.244.1.1,", 5000) + client}, client},
		"two proxies":                           {"10.244.0.0/16, 192.0.2.0/24", ingress, []string{client + ", " + balancer}, client},
		"two proxies, and the client adds one":  {"10.244.0.0/16,192.0.2.0/24", ingress, []string{"198.51.100.1," + client + "," + balancer}, client},
		"two proxies, in a line each":           {"10.244.0.0/16,192.0.2.0/24", ingress, []string{client, balancer}, client},
		"the second proxy is not trusted":       {"10.244.0.0/16", ingress, []string{client + ", " + balancer}, balancer},
		"all are trusted":                       {"10.244.0.0/16", ingress, []string{"10.244.3.3, 10.244.4.4"}, "10.244.3.3"},
		"more are trusted than are looked at":   {"10.244.0.0/16", ingress, []string{client + strings.Repeat(", 10.244.1.1", maxHops)}, "10.244.1.7"},
		"what a proxy says is no address":       {"10.244.0.0/16", ingress, []string{"unknown"}, "10.244.1.7"},
		"no address before a trusted one":       {"10.244.0.0/16,192.0.2.0/24", ingress, []string{client + ", unknown, " + balancer}, "10.244.1.7"},
		"a comma at the end":                    {"10.244.0.0/16", ingress, []string{client + ","}, "10.244.1.7"},
		"a name":                                {"10.244.0.0/16", ingress, []string{"localhost"}, "10.244.1.7"},
		"with a port":                           {"10.244.0.0/16", ingress, []string{client + ":4711"}, client},
		"IPv6":                                  {"10.244.0.0/16,2001:db8::/32", "[2001:db8::7]:1", []string{"2001:DB9:0::1"}, "2001:db9::1"},
		"IPv6 with a port":                      {"10.244.0.0/16", ingress, []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		"IPv6 with a zone":                      {"10.244.0.0/16", ingress, []string{"fe80::1%<script>"}, "10.244.1.7"},
		"IPv4 within IPv6":                      {"10.244.0.0/16", "[::ffff:10.244.1.7]:1", []string{client + ", ::ffff:10.244.2.2"}, client},
		"a peer without a port":                 {"10.244.0.0/16", "10.244.1.7", []string{client}, client},
		"a peer that is no address":             {"10.244.0.0/16", "@", []string{client}, "@"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
			require.Equal(t, c.want, proxies(t, c.trusted).ClientAddress(r))
		})
	}
}

func TestTrustedProxiesAreNetworks(t *testing.T) {
	for text, says := range map[string]string{
		"10.244.1.7":            "networks such as 10.244.0.0/16",
		"10.0.0.0/8,":           "networks such as",
		"10.0.0.0/8 10.1.0.0/8": "networks such as",
		"10.0.0.0/33":           "networks such as",
		"ingress/24":            "networks such as",
		"0.0.0.0/0":             "would let each client choose its own",
		"10.0.0.0/8, ::/0":      "would let each client choose its own",
		"::ffff:10.0.0.0/104":   "must be written as IPv4",
	} {
		var p Proxies
		require.ErrorContains(t, p.UnmarshalText([]byte(text)), says, text)
	}
	require.Empty(t, proxies(t, " "))
	require.Len(t, proxies(t, "10.244.0.0/16, fd00::/8"), 2)
}

// Whatever a client writes, what comes out is the peer or an address of the
// header with nothing but proxies to the right of it.
func FuzzClientAddress(f *testing.F) {
	for _, seed := range []string{"", "203.0.113.9", "1.1.1.1, 10.0.0.1", "[::1]:80,10.1.1.1", "fe80::1%x", ",,", "::ffff:10.0.0.1", "10.0.0.1:"} {
		f.Add(seed)
	}
	p := proxies(f, "10.0.0.0/8,fd00::/8")
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {header}}}
		got := p.ClientAddress(r)
		if got == "10.0.0.1" {
			return
		}
		addr, err := netip.ParseAddr(got)
		require.NoError(t, err)
		require.Empty(t, addr.Zone())
		hops := strings.Split(header, ",")
		for i := len(hops) - 1; i >= 0; i-- {
			hop, ok := forwarded(hops[i])
			require.True(t, ok, "%q was passed over", hops[i])
			if hop == addr {
				return
			}
			require.True(t, p.include(hop), "%q was passed over", hops[i])
		}
		require.Fail(t, "it is not in the header", got)
	})
}
