package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/services/task-api/internal/account"
)

// chromium is a headless Chromium, which is spoken to over pipes (the Chrome DevTools
// Protocol).
type chromium struct {
	t       *testing.T
	to      *os.File
	answers chan message
	session string // of its page
	last    int
}

// message is one of the protocol.
type message struct {
	ID     int
	Result json.RawMessage
	Error  *struct{ Message string }
}

func newChromium(t *testing.T) *chromium {
	t.Helper()
	program, err := exec.LookPath("chromium")
	require.NoError(t, err, "install chromium, as .ci/run does")
	theirs, ours, err := os.Pipe()
	require.NoError(t, err)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", //nolint:noctx // it ends with its pipe
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{theirs, write} // 3 and 4, as it expects them
	require.NoError(t, cmd.Start())
	require.NoError(t, theirs.Close())
	require.NoError(t, write.Close())
	b := &chromium{t: t, to: ours, answers: make(chan message, 16)}
	go func() {
		defer close(b.answers)
		messages := bufio.NewReader(read)
		for {
			raw, err := messages.ReadBytes(0)
			if err != nil {
				return
			}
			var m message
			if json.Unmarshal(raw[:len(raw)-1], &m) == nil && m.ID != 0 { // the others are events
				b.answers <- m
			}
		}
	}()
	t.Cleanup(func() {
		_ = ours.Close() // which ends it
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait() // however it ended
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill() // it hangs
			<-ended
		}
		_ = read.Close()
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", object{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", object{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	return b
}

// call has the browser do something.
func (b *chromium) call(method string, params object, result any) {
	b.t.Helper()
	b.last++
	asked := object{"id": b.last, "method": method, "params": params}
	if b.session != "" {
		asked["sessionId"] = b.session
	}
	raw, err := json.Marshal(asked)
	require.NoError(b.t, err)
	_, err = b.to.Write(append(raw, 0))
	require.NoError(b.t, err)
	select {
	case m, ok := <-b.answers:
		require.True(b.t, ok, "%s: the browser has ended", method)
		require.Equal(b.t, b.last, m.ID)
		require.Nil(b.t, m.Error, "%s: %v", method, m.Error)
		if result != nil {
			require.NoError(b.t, json.Unmarshal(m.Result, result))
		}
	case <-time.After(2 * patience):
		b.t.Fatalf("%s: the browser does not answer", method)
	}
}

// run is what a script in the page comes to.
func (b *chromium) run(script string) string {
	b.t.Helper()
	var ran struct {
		Result           struct{ Value any }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	b.call("Runtime.evaluate", object{"expression": "(async () => {" + script + "})()", "awaitPromise": true, "returnByValue": true, "userGesture": true}, &ran)
	require.Nil(b.t, ran.ExceptionDetails, "%+v", ran.ExceptionDetails)
	return fmt.Sprint(ran.Result.Value)
}

// A page does as the description of the API says, with what browsers have for it.
const inThePage = `
	const ask = async (path, body) => {
		const res = await fetch("/api/auth/" + path, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)})
		const answer = await res.json()
		if (!res.ok) throw new Error(path + ": " + JSON.stringify(answer))
		return answer
	}
	const signIn = async () => {
		const options = PublicKeyCredential.parseRequestOptionsFromJSON((await ask("passkeys/login/begin")).publicKey)
		const credential = await navigator.credentials.get({publicKey: options})
		return (await ask("passkeys/login/finish", {credential: credential.toJSON()})).user.email
	}
`

func TestPasskeysInABrowser(t *testing.T) {
	t.Parallel()
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := strconv.Itoa(free.Addr().(*net.TCPAddr).Port)
	require.NoError(t, free.Close())
	page := "http://localhost:" + port
	s := start(t, "PORT="+port, "PUBLIC_URL="+page)
	u := s.newUser()
	b := newChromium(t)
	b.call("WebAuthn.enable", object{}, nil)
	var authenticator struct{ AuthenticatorID string }
	b.call("WebAuthn.addVirtualAuthenticator", object{"options": object{
		"protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true, "isUserVerified": true, "automaticPresenceSimulation": true,
	}}, &authenticator)
	b.call("Page.navigate", object{"url": page + "/docs"}, nil)
	eventually(t, "the page is there", func() bool { return b.run(`return document.readyState + location.origin`) == "complete"+page })

	name := b.run(inThePage + `
		await ask("login", {email: "` + u.email + `", password: "` + password + `"})
		const options = PublicKeyCredential.parseCreationOptionsFromJSON((await ask("passkeys/register/begin")).publicKey)
		const credential = await navigator.credentials.create({publicKey: options})
		return (await ask("passkeys/register/finish", {credential: credential.toJSON(), name: "Chromium"})).name`)
	require.Equal(t, "Chromium", name)
	require.Equal(t, "InvalidStateError", b.run(inThePage+`
		const options = PublicKeyCredential.parseCreationOptionsFromJSON((await ask("passkeys/register/begin")).publicKey)
		return navigator.credentials.create({publicKey: options}).then(() => "made", (err) => err.name)`), "there is one on this device already")

	b.run(`await fetch("/api/auth/logout", {method: "POST"})`)
	require.Equal(t, "401", b.run(`return (await fetch("/api/auth/me")).status`))
	require.Equal(t, u.email, b.run(inThePage+`return signIn()`))
	require.Equal(t, u.email, b.run(`return (await (await fetch("/api/auth/me")).json()).email`))
	require.Equal(t, u.email, b.run(inThePage+`return signIn()`), "again, with the next count")

	// The keychain begins to share the key with other devices.
	var kept struct {
		Credentials []struct{ CredentialID string }
	}
	b.call("WebAuthn.getCredentials", object{"authenticatorId": authenticator.AuthenticatorID}, &kept)
	require.Len(t, kept.Credentials, 1)
	b.call("WebAuthn.setCredentialProperties", object{
		"authenticatorId": authenticator.AuthenticatorID, "credentialId": kept.Credentials[0].CredentialID, "backupEligibility": true, "backupState": true,
	}, nil)
	require.Equal(t, u.email, b.run(inThePage+`return signIn()`))
	keys := items[account.Passkey](u, "/api/auth/passkeys")
	require.Len(t, keys, 1)
	require.True(t, keys[0].BackedUp)

	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, "/api/auth/passkeys/"+keys[0].ID.String(), nil).status)
	require.Contains(t, b.run(inThePage+`return signIn().catch((err) => err.message)`), "wrong-passkey")
}
