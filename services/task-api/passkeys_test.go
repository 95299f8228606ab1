package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
)

// Flags of what a device signs (WebAuthn, section 6.1).
const (
	present        = 1 << 0
	verified       = 1 << 2
	backupEligible = 1 << 3
	backedUp       = 1 << 4
	withKey        = 1 << 6
)

// device is one that keeps a passkey, with a browser around it. What it does wrong, a
// test says.
type device struct {
	client
	key    *ecdsa.PrivateKey
	id     []byte
	handle []byte // of the user, as it was told

	host, origin string
	flags        byte
	count        uint32
	kind         string // "": that of what it does
	across       bool   // a frame in another page
}

func (c client) device() *device {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(c.t, err)
	id := uuid.New()
	return &device{client: c, key: key, id: id[:], host: "tasks.example.org", origin: publicly, flags: present | verified}
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

func (d *device) clientData(kind, challenge string) []byte {
	if d.kind != "" {
		kind = d.kind
	}
	raw, err := json.Marshal(object{"type": kind, "challenge": challenge, "origin": d.origin, "crossOrigin": d.across})
	require.NoError(d.t, err)
	return raw
}

func (d *device) authenticatorData(flags byte) []byte {
	host := sha256.Sum256([]byte(d.host))
	return binary.BigEndian.AppendUint32(append(host[:], flags), d.count)
}

// made is what a browser says of a key that it was asked for.
func (d *device) made(challenge string) object {
	data := append(d.authenticatorData(d.flags|withKey), make([]byte, 16)...)
	data = append(append(data, 0, byte(len(d.id))), d.id...) //nolint:gosec // it is short
	point, err := d.key.PublicKey.Bytes()
	require.NoError(d.t, err)
	// CBOR: {1: 2, 3: -7, -1: 1, -2: x, -3: y}, of RFC 9053 and 8152.
	data = append(data, 0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32)
	data = append(append(data, point[1:33]...), 0x22, 0x58, 32)
	data = append(data, point[33:]...)
	attestation := slices.Concat([]byte{0xa3, 0x63}, []byte("fmt"), []byte{0x64}, []byte("none"), []byte{0x67}, []byte("attStmt"), []byte{0xa0, 0x68}, []byte("authData"), []byte{0x58, byte(len(data))}, data) //nolint:gosec // it is below 256 bytes
	return object{"id": b64(d.id), "rawId": b64(d.id), "type": "public-key", "clientExtensionResults": object{}, "response": object{
		"clientDataJSON": b64(d.clientData("webauthn.create", challenge)), "attestationObject": b64(attestation), "transports": []string{"internal"},
	}}
}

// signed is what it says when it was asked to sign.
func (d *device) signed(challenge string) object {
	clientData, data := d.clientData("webauthn.get", challenge), d.authenticatorData(d.flags)
	hash := sha256.Sum256(clientData)
	digest := sha256.Sum256(append(slices.Clone(data), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, d.key, digest[:])
	require.NoError(d.t, err)
	return object{"id": b64(d.id), "rawId": b64(d.id), "type": "public-key", "clientExtensionResults": object{}, "response": object{
		"clientDataJSON": b64(clientData), "authenticatorData": b64(data), "signature": b64(signature), "userHandle": b64(d.handle),
	}}
}

// asked is the challenge of a beginning.
func (d *device) asked(path string) (challenge string) {
	d.t.Helper()
	a := d.do(http.MethodPost, "/api/auth/passkeys/"+path+"/begin", nil)
	require.Equal(d.t, http.StatusOK, a.status, "%s", a.body)
	var options struct {
		PublicKey struct {
			Challenge string
			RPID      string `json:"rpId"`
			RP        struct{ ID string }
			User      struct{ ID string }
		} `json:"publicKey"`
	}
	require.NoError(d.t, json.Unmarshal(a.body, &options))
	require.Equal(d.t, "tasks.example.org", options.PublicKey.RPID+options.PublicKey.RP.ID)
	if options.PublicKey.User.ID != "" {
		handle, err := base64.RawURLEncoding.DecodeString(options.PublicKey.User.ID)
		require.NoError(d.t, err)
		d.handle = handle
	}
	return options.PublicKey.Challenge
}

func (d *device) finishAdding(credential object) answer {
	return d.do(http.MethodPost, "/api/auth/passkeys/register/finish", object{"credential": credential, "name": "Telephone"})
}

func (d *device) finishSignIn(credential object) answer {
	return d.nobody().do(http.MethodPost, "/api/auth/passkeys/login/finish", object{"credential": credential})
}

// signIn is a sign-in by what the device signs.
func (d *device) signInBy() answer { return d.finishSignIn(d.signed(d.asked("login"))) }

// deviceWithPasskey is one whose passkey was added to a user's account.
func (c client) deviceWithPasskey() *device {
	c.t.Helper()
	d := c.device()
	a := d.finishAdding(d.made(d.asked("register")))
	require.Equal(c.t, http.StatusCreated, a.status, "%s", a.body)
	return d
}

func TestAPasskeySignsIn(t *testing.T) {
	t.Parallel()
	s := start(t, "PUBLIC_URL="+publicly)
	u := s.newUser()
	d := u.deviceWithPasskey()
	require.Equal(t, u.user[:], d.handle)
	for range 3 { // it does not count
		a := d.signInBy()
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		require.Contains(t, string(a.body), u.user.String())
		me := s.nobody().do(http.MethodGet, "/api/auth/me", nil, "Cookie", auth.Cookie+"="+a.cookies()[auth.Cookie].Value)
		require.Contains(t, string(me.body), u.email)
	}
	keys := items[account.Passkey](u, "/api/auth/passkeys")
	require.Len(t, keys, 1)
	require.Equal(t, "Telephone", keys[0].Name)
	require.NotNil(t, keys[0].LastUsedAt)
	require.Equal(t, keys[0].ID.String(), u.audited("user.passkey_added")[0].Metadata["passkey"])
	require.Equal(t, keys[0].ID.String(), u.audited("user.signed_in")[0].Metadata["passkey"])

	d.count = 7
	require.Equal(t, http.StatusOK, d.signInBy().status, "it counts from now on")
	d.count = 8
	require.Equal(t, http.StatusOK, d.signInBy().status)
	// Keychains do so to keys that they had before.
	for _, flags := range []byte{present | verified | backupEligible | backedUp, present | verified, present | verified | backupEligible} {
		d.flags, d.count = flags, d.count+1
		require.Equal(t, http.StatusOK, d.signInBy().status, "%b", flags)
		require.Equal(t, flags&backedUp != 0, items[account.Passkey](u, "/api/auth/passkeys")[0].BackedUp)
	}

	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, "/api/auth/passkeys/"+keys[0].ID.String(), nil).status)
	requireProblem(t, http.StatusUnauthorized, "wrong-passkey", d.signInBy())
	requireProblem(t, http.StatusNotFound, "not-found", u.do(http.MethodDelete, "/api/auth/passkeys/"+keys[0].ID.String(), nil))
	require.Len(t, u.audited("user.passkey_removed"), 1)

	// Of who has no password, one stays.
	d = u.deviceWithPasskey()
	only := "/api/auth/passkeys/" + items[account.Passkey](u, "/api/auth/passkeys")[0].ID.String()
	s.execute("UPDATE task.users SET password_hash = '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' WHERE id = ?", u.user)
	requireProblem(t, http.StatusConflict, "last-way-in", u.do(http.MethodDelete, only, nil))
	require.Equal(t, http.StatusOK, d.signInBy().status)
	u.deviceWithPasskey()
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, only, nil).status)
}

func TestWhatAPasskeySignsIsOfThisSignIn(t *testing.T) {
	t.Parallel()
	s := start(t, "PUBLIC_URL="+publicly, "LIMIT_SIGN_INS=1000")
	u := s.newUser()
	other := s.newUser().deviceWithPasskey()
	for name, c := range map[string]struct {
		status int
		code   string
		try    func(d *device) answer
	}{
		"a challenge that is made up": {http.StatusBadRequest, "sign-in-not-begun", func(d *device) answer { return d.finishSignIn(d.signed(b64(make([]byte, 32)))) }},
		"a challenge with a NUL":      {http.StatusBadRequest, "sign-in-not-begun", func(d *device) answer { return d.finishSignIn(d.signed("\x00")) }},
		"a challenge that was used": {http.StatusBadRequest, "sign-in-not-begun", func(d *device) answer {
			signed := d.signed(d.asked("login"))
			require.Equal(t, http.StatusOK, d.finishSignIn(signed).status)
			return d.finishSignIn(signed)
		}},
		"a challenge that was used in vain": {http.StatusBadRequest, "sign-in-not-begun", func(d *device) answer {
			challenge := d.asked("login")
			d.origin = "https://evil.example"
			requireProblem(t, http.StatusUnauthorized, "wrong-passkey", d.finishSignIn(d.signed(challenge)))
			d.origin = publicly
			return d.finishSignIn(d.signed(challenge))
		}},
		"a challenge of long ago": {http.StatusBadRequest, "sign-in-not-begun", func(d *device) answer {
			challenge := d.asked("login")
			s.execute("UPDATE task.ceremonies SET expires_at = now() WHERE challenge = ?", challenge)
			return d.finishSignIn(d.signed(challenge))
		}},
		"the challenge of a new key": {http.StatusBadRequest, "sign-in-not-begun", func(d *device) answer { return d.finishSignIn(d.signed(d.asked("register"))) }},
		"for a page of another host": {http.StatusUnauthorized, "wrong-passkey", func(d *device) answer { d.origin = "https://tasks.example.com"; return d.signInBy() }},
		"for a page without TLS":     {http.StatusUnauthorized, "wrong-passkey", func(d *device) answer { d.origin = "http://tasks.example.org"; return d.signInBy() }},
		"in a page of another":       {http.StatusUnauthorized, "wrong-passkey", func(d *device) answer { d.across = true; return d.signInBy() }},
		"for another host":           {http.StatusUnauthorized, "wrong-passkey", func(d *device) answer { d.host = "example.org"; return d.signInBy() }},
		"as a new key":               {http.StatusUnauthorized, "wrong-passkey", func(d *device) answer { d.kind = "webauthn.create"; return d.signInBy() }},
		"by another key":             {http.StatusUnauthorized, "wrong-passkey", func(d *device) answer { d.key = other.key; return d.signInBy() }},
		"by a key that nobody knows": {http.StatusUnauthorized, "wrong-passkey", func(d *device) answer { d.id = []byte("unknown"); return d.signInBy() }},
		"for another user":           {http.StatusUnauthorized, "wrong-passkey", func(d *device) answer { d.handle = other.handle; return d.signInBy() }},
		"for no user":                {http.StatusUnauthorized, "wrong-passkey", func(d *device) answer { d.handle = nil; return d.signInBy() }},
		"without anybody there":      {http.StatusUnauthorized, "wrong-passkey", func(d *device) answer { d.flags = verified; return d.signInBy() }},
		"by a copy, which counts on its own": {http.StatusUnauthorized, "wrong-passkey", func(d *device) answer {
			d.count = 7
			require.Equal(t, http.StatusOK, d.signInBy().status)
			return d.signInBy()
		}},
		"by a copy, which does not count": {http.StatusUnauthorized, "wrong-passkey", func(d *device) answer {
			d.count = 7
			require.Equal(t, http.StatusOK, d.signInBy().status)
			d.count = 0
			return d.signInBy()
		}},
		"what is none": {http.StatusUnprocessableEntity, "invalid", func(d *device) answer { return d.finishSignIn(object{"id": "x"}) }},
	} {
		t.Run(name, func(t *testing.T) {
			d := u.deviceWithPasskey()
			a := c.try(d)
			requireProblem(t, c.status, c.code, a)
			require.Empty(t, a.cookies())
			s.execute("DELETE FROM task.passkeys WHERE user_id = ?", u.user)
		})
	}
	eventually(t, "they are in the trail", func() bool {
		for _, e := range u.audited("user.sign_in_failed") {
			if e.Metadata["reason"] == "wrong_passkey" {
				return true
			}
		}
		return false
	})
}

func TestAPasskeyIsAddedByItsOwner(t *testing.T) {
	t.Parallel()
	s := start(t, "PUBLIC_URL="+publicly)
	u, other := s.newUser(), s.newUser()
	theirs := other.deviceWithPasskey()
	for name, try := range map[string]func(d *device) answer{
		"a challenge that is made up": func(d *device) answer { return d.finishAdding(d.made(b64(make([]byte, 32)))) },
		"the challenge of a sign-in":  func(d *device) answer { return d.finishAdding(d.made(d.asked("login"))) },
		"another's challenge":         func(d *device) answer { return d.finishAdding(d.made(other.device().asked("register"))) },
		"a challenge that was used": func(d *device) answer {
			made := d.made(d.asked("register"))
			require.Equal(t, http.StatusCreated, d.finishAdding(made).status)
			return d.finishAdding(made)
		},
		"for another page": func(d *device) answer {
			d.origin = "https://evil.example"
			return d.finishAdding(d.made(d.asked("register")))
		},
		"for another host":        func(d *device) answer { d.host = "evil.example"; return d.finishAdding(d.made(d.asked("register"))) },
		"without anybody there":   func(d *device) answer { d.flags = 0; return d.finishAdding(d.made(d.asked("register"))) },
		"a key that is another's": func(d *device) answer { d.id = theirs.id; return d.finishAdding(d.made(d.asked("register"))) },
		"what is none":            func(d *device) answer { return d.finishAdding(object{"id": "x"}) },
	} {
		t.Run(name, func(t *testing.T) {
			a := try(u.device())
			requireProblem(t, http.StatusUnprocessableEntity, "invalid", a)
			require.Equal(t, "body.credential", a.problem().Errors[0].Location)
			require.NotContains(t, string(a.body), "evil")
		})
	}
	require.Equal(t, http.StatusOK, theirs.signInBy().status)
	require.Len(t, items[account.Passkey](u, "/api/auth/passkeys"), 1)
	for range 19 {
		u.deviceWithPasskey()
	}
	requireProblem(t, http.StatusForbidden, "limit-reached", u.do(http.MethodPost, "/api/auth/passkeys/register/begin", nil))
}

// A device that does not ask who holds it is one factor.
func TestAPasskeyAloneIsNoSecondFactor(t *testing.T) {
	t.Parallel()
	s := start(t, "PUBLIC_URL="+publicly)
	u := s.newUserWithCodes()
	d := u.deviceWithPasskey()
	require.Equal(t, http.StatusOK, d.signInBy().status)
	d.flags = present
	requireProblem(t, http.StatusUnauthorized, "second-factor-required", d.signInBy())
	require.Equal(t, http.StatusNoContent, u.do(http.MethodDelete, "/api/auth/totp", nil).status)
	require.Equal(t, http.StatusOK, d.signInBy().status)
}

func TestPasskeysNeedAHostName(t *testing.T) {
	t.Parallel()
	for public, status := range map[string]int{"http://192.0.2.7:8000": http.StatusNotFound, "http://127.0.0.1:8000": http.StatusOK, "http://[::1]": http.StatusOK, "https://tasks.example.org/at/home": http.StatusOK} {
		t.Run(public, func(t *testing.T) {
			a := start(t, "PUBLIC_URL="+public).nobody().do(http.MethodPost, "/api/auth/passkeys/login/begin", nil)
			require.Equal(t, status, a.status, "%s", a.body)
			if strings.Contains(public, "http://") && status == http.StatusOK {
				require.Contains(t, string(a.body), `"rpId":"localhost"`)
			}
		})
	}
}

// Who begins and never comes back takes so much room, and no password from anybody.
func TestBegunSignInsAreCounted(t *testing.T) {
	t.Parallel()
	s := start(t, "PUBLIC_URL="+publicly, "LIMIT_SIGN_INS_NETWORK=5")
	for range 5 {
		require.Equal(t, http.StatusOK, s.nobody().do(http.MethodPost, "/api/auth/passkeys/login/begin", nil).status)
	}
	requireTooMany(t, s.nobody().do(http.MethodPost, "/api/auth/passkeys/login/begin", nil))
	u := s.newUser()
	require.Equal(t, http.StatusOK, u.login(u.email, password, "").status, "passwords are counted on their own")
}
