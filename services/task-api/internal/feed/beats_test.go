package feed

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestABeatIsForAllWhoWait(t *testing.T) {
	b := new(Beats)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx, time.Millisecond) }()
	for range 3 {
		first, second := b.Next(), b.Next()
		for _, beat := range []<-chan struct{}{first, second} {
			select {
			case <-beat:
			case <-time.After(10 * time.Second):
				require.Fail(t, "no beat")
			}
		}
	}
	stop()
	require.NoError(t, <-ended)
	next := b.Next()
	select {
	case <-next:
		require.Fail(t, "a beat that nobody has made")
	default:
	}
	b.beat()
	<-next
}
