package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// secrets are the passwords of the private Postgres, by role. They live as
// long as its data.
type secrets struct {
	Passwords map[string]string `json:"passwords"`
}

// loadSecrets reads the secrets and adds those of new roles.
func loadSecrets(path string, roles []string) (secrets, error) {
	s := secrets{Passwords: map[string]string{}}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return s, fmt.Errorf("read the secrets: %w", err)
	default:
		if err := json.Unmarshal(text, &s); err != nil {
			return s, fmt.Errorf("parse %s: %w", path, err)
		}
	}
	for _, role := range roles {
		if s.Passwords[role] == "" {
			s.Passwords[role] = newToken()
		}
	}
	return s, writeJSON(path, s)
}

// newToken is a secret that nobody can guess, safe in a URL.
func newToken() string {
	b := make([]byte, 24)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// ensureSigningKey writes the key that task-api signs its tokens with, unless
// there is one: tokens stay valid from one run to the next.
func ensureSigningKey(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make the signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode the signing key: %w", err)
	}
	return replaceFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// writeJSON writes a file that only its owner may read.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return replaceFile(path, append(text, '\n'))
}

// replaceFile never shows a reader half a file.
func replaceFile(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
