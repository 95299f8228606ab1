package account

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// deviceLife is how long a browser is known as a device that has signed in.
const deviceLife = 180 * 24 * time.Hour

// Device is a browser that has signed in to an account before.
type Device struct {
	user uuid.UUID
	id   string
}

// DeviceOf is the device that a stranger signs in to an account with: his own, or a new one.
func (s Stranger) DeviceOf(u *User) (Device, error) {
	if s.knows(u) {
		return s.device, nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Device{}, fmt.Errorf("make a device id: %w", err)
	}
	return Device{u.ID, id.String()}, nil
}

// SignDevice makes the value of a device's cookie. It opens nothing: with its
// own audience it is no token of the user's.
func (k *Keys) SignDevice(d Device, now time.Time) (value string, expires time.Time, err error) {
	expires = now.Add(deviceLife)
	claims := &jwt.RegisteredClaims{Subject: d.user.String(), ID: d.id}
	value, err = k.signCookie(k.deviceAudience(), expires, claims, claims)
	return value, expires, err
}

// longestDevice is more than SignDevice makes, in bytes.
const longestDevice = 1 << 10

// Device is the device whose cookie has a value; false where it is not ours or
// no longer valid.
func (k *Keys) Device(value string) (Device, bool) {
	var claims jwt.RegisteredClaims
	if !k.readCookie(value, longestDevice, k.deviceAudience(), &claims) {
		return Device{}, false
	}
	user, err := uuid.Parse(claims.Subject)
	return Device{user, claims.ID}, err == nil && claims.ID != ""
}

func (k *Keys) deviceAudience() string { return k.aud + "/device" }
