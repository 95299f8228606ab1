package publish

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/taskwire/taskwire/pkg/eventlog"
)

// A sidecar with a host of its own has a name there only while it runs, and
// another address each time: it is found at once all the same.
func TestASidecarIsFoundAtTheAddressThatItHasNow(t *testing.T) {
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.2:0")
	if err != nil {
		t.Skip("one address is all that this machine has on its loopback")
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	require.NoError(t, listener.Close())
	names := serveNames(t)
	d, err := NewDapr(net.JoinHostPort("sidecar.test", port), "", "pubsub")
	require.NoError(t, err)
	defer d.Close()
	publish := func() error {
		_, err := d.Publish(t.Context(), topic, []eventlog.Message{message("key", "id")})
		return err
	}

	require.Error(t, publish(), "it has no name yet")
	for _, address := range []string{"127.0.0.2", "127.0.0.3"} {
		listener, err := listen.Listen(t.Context(), "tcp", net.JoinHostPort(address, port))
		require.NoError(t, err)
		// It takes whatever it is given.
		sidecar := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			if err := stream.RecvMsg(new(emptypb.Empty)); err != nil {
				return err
			}
			return stream.SendMsg(new(emptypb.Empty))
		}))
		go func() { _ = sidecar.Serve(listener) }() // ends with Stop
		at := netip.MustParseAddr(address)
		names.Store(&at)
		require.Eventually(t, func() bool { return publish() == nil }, 10*time.Second, 10*time.Millisecond)
		sidecar.Stop()
	}
}

// serveNames has all names of this process resolved to one address; while there
// is none, none exists.
func serveNames(t *testing.T) *atomic.Pointer[netip.Addr] {
	t.Helper()
	var address atomic.Pointer[netip.Addr]
	server, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		buffer := make([]byte, 512)
		for {
			n, client, err := server.ReadFrom(buffer)
			if err != nil {
				return // closed
			}
			var query dnsmessage.Message
			if query.Unpack(buffer[:n]) != nil || len(query.Questions) != 1 {
				continue
			}
			asked := query.Questions[0]
			answer := dnsmessage.Message{
				Header:    dnsmessage.Header{ID: query.ID, Response: true, Authoritative: true},
				Questions: query.Questions,
			}
			at := address.Load()
			switch {
			case at == nil:
				answer.RCode = dnsmessage.RCodeNameError
			case asked.Type == dnsmessage.TypeA:
				answer.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: asked.Name, Class: asked.Class},
					Body:   &dnsmessage.AResource{A: at.As4()},
				}}
			}
			if packed, err := answer.Pack(); err == nil {
				_, _ = server.WriteTo(packed, client) // asked again if it is lost
			}
		}
	}()
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		require.NoError(t, server.Close())
	})
	return &address
}
