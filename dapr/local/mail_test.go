package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/local"
)

func TestMailSinkWritesEachMessageToAFile(t *testing.T) {
	l, err := net.Listen("tcp", local.Address(0))
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serveMail(ctx, []string{"-port", strconv.Itoa(port), "-dir", dir}) }()
	require.NoError(t, waitListening(ctx, local.Address(port)))

	for _, subject := range []string{"one", "two"} {
		client, err := smtp.Dial(local.Address(port))
		require.NoError(t, err)
		require.NoError(t, client.SendMail("from@example.com", []string{"to@example.com"},
			strings.NewReader("Subject: "+subject+"\r\n\r\nHello\r\n")))
		require.NoError(t, client.Quit())
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, files, 2)
	for i, subject := range []string{"one", "two"} { // their names sort by time
		require.Equal(t, ".eml", filepath.Ext(files[i]))
		text, err := os.ReadFile(files[i])
		require.NoError(t, err)
		require.Contains(t, string(text), "Subject: "+subject)
	}
	cancel()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(5 * time.Second):
		t.Fatal("the sink did not stop")
	}
}
