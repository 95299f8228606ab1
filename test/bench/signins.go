package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp/totp"
	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/test/figures"
	"github.com/taskwire/taskwire/test/suite"
)

// A code is good once, and there is another one each half minute: so many accounts with a
// second factor are enough for a third of a thousand sign-ins a minute.
const signInKinds, accountsOfKind, signInsAMinute = 3, 200, 1_000

// signer is an account that signs in again and again.
type signer struct {
	*suite.Client

	device string // the cookie of a device that has signed in before; "" for always a new one
	secret string // of the second factor; "" without
}

// signIns measures what a thousand sign-ins a minute take, and what is left to others
// meanwhile: by password from a device that is known, by password from a new one, of which
// the user is told by mail, and by password and a code.
func signIns(ctx context.Context) error {
	return with(ctx, nil, func(s *suite.Suite, u *suite.Client) error {
		progress("registering %d accounts", signInKinds*accountsOfKind)
		signers, err := makeSigners(ctx, s)
		if err != nil {
			return err
		}
		// Who has not shown that his address is his is told nothing by mail.
		conn, err := pgx.Connect(ctx, s.Database.OwnerURL)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		if _, err := conn.Exec(ctx, "UPDATE task.users SET verified = true"); err != nil {
			return err
		}
		others := []*suite.Client{u}
		const rate = 20
		progress("creating %d tasks a second for a minute, and nothing else", rate)
		alone, err := open(ctx, others, rate, time.Minute, nil)
		if err != nil {
			return err
		}
		progress("the same beside %d sign-ins", signInsAMinute)
		pids, err := s.PIDs()
		if err != nil {
			return err
		}
		before, err := worked(pids)
		if err != nil {
			return err
		}
		var beside load
		signed := make([]load, signInKinds)
		both, bothCtx := errgroup.WithContext(ctx)
		both.Go(func() (err error) {
			beside, err = open(bothCtx, others, rate, time.Minute, nil)
			return err
		})
		both.Go(func() error { return signInAll(bothCtx, signers, signed) })
		if err := both.Wait(); err != nil {
			return err
		}
		after, err := worked(pids)
		if err != nil {
			return err
		}
		told, waited, err := toldByMail(ctx, s, len(signed[1].times))
		if err != nil {
			return err
		}
		fmt.Printf("\n| POST /api/auth/login, %d a minute | answered 200 | failed | p50 | p99 | slowest |\n|---|---|---|---|---|---|\n", signInsAMinute)
		for i, name := range []string{"a device that is known", "a new device, and a mail about it", "a second factor"} {
			printTimes(name, signed[i])
		}
		fmt.Printf("\n| POST /api/tasks of another user, %d a second | answered 201 | failed | p50 | p99 | slowest |\n|---|---|---|---|---|---|\n", rate)
		printTimes("alone", alone)
		printTimes("beside the sign-ins", beside)
		fmt.Printf("\n%d mails tell of %d new devices %s after the last sign-in.\n", told, len(signed[1].times), figures.Milliseconds(waited))
		fmt.Printf("\n| works in that minute, of %d cores | s |\n|---|---|\n", runtime.NumCPU())
		for _, name := range slices.Sorted(maps.Keys(after)) {
			fmt.Printf("| %s | %.1f |\n", name, (after[name]-before[name])/1_000)
		}
		return nil
	})
}

// toldByMail waits until so many mails tell of a new device, or no more come.
func toldByMail(ctx context.Context, s *suite.Suite, want int) (told int, waited time.Duration, err error) {
	for began, last := time.Now(), time.Now(); ; {
		mails, err := s.Mails("A new device signed in")
		if err != nil {
			return 0, 0, err
		}
		if len(mails) > told {
			told, last = len(mails), time.Now()
		}
		if told >= want || time.Since(last) > 10*time.Second {
			return told, last.Sub(began), nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return 0, 0, err
		}
	}
}

func printTimes(name string, l load) {
	fmt.Printf("| %s | %d | %d | %s | %s | %s |\n", name, len(l.times), l.failed, quantile(l.times, .5), quantile(l.times, .99), quantile(l.times, 1))
}

// makeSigners registers accounts, of the kinds by turns.
func makeSigners(ctx context.Context, s *suite.Suite) ([]signer, error) {
	signers := make([]signer, signInKinds*accountsOfKind)
	making, ctx := errgroup.WithContext(ctx)
	making.SetLimit(4)
	for i := range signers {
		making.Go(func() error {
			c := &suite.Client{Base: s.API, Email: fmt.Sprintf("signer%d@example.org", i)}
			a, err := c.Register(ctx, "UTC")
			if err != nil {
				return err
			}
			signers[i] = signer{Client: c}
			switch i % signInKinds {
			case 0:
				signers[i].device = deviceOf(a)
			case 2:
				signers[i].device = deviceOf(a)
				signers[i].secret, err = enrol(ctx, c)
			}
			return err
		})
	}
	return signers, making.Wait()
}

// enrol gives an account a second factor, and returns its secret. The code of the half minute
// before confirms it, so that the one of now is still good.
func enrol(ctx context.Context, c *suite.Client) (string, error) {
	a, err := c.Do(ctx, http.MethodPost, "/api/auth/totp", nil)
	if err != nil {
		return "", err
	}
	var made struct{ Secret string }
	if err := a.JSON(&made); err != nil {
		return "", err
	}
	code, err := totp.GenerateCode(made.Secret, time.Now().Add(-30*time.Second))
	if err != nil {
		return "", fmt.Errorf("make a code: %w", err)
	}
	a, err = c.Do(ctx, http.MethodPost, "/api/auth/totp/confirm", map[string]string{"code": code})
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("confirm a second factor: %d %s", a.Status, a.Body)
	}
	return made.Secret, err
}

// deviceOf is the cookie by which a device is known later.
func deviceOf(a suite.Answer) string {
	for _, line := range a.Header.Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(line); err == nil && c.Name == "taskwire_device" {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

// signInAll signs in for a minute at a fixed rate.
func signInAll(ctx context.Context, signers []signer, signed []load) error {
	var mu sync.Mutex
	return atRate(ctx, signInsAMinute, time.Minute/signInsAMinute, func(n int, due time.Time) {
		err := signers[n%len(signers)].signIn(ctx)
		took := time.Since(due)
		mu.Lock()
		defer mu.Unlock()
		l := &signed[n%signInKinds]
		if err != nil {
			if l.failed++; l.failed == 1 {
				progress("%s", err)
			}
			return
		}
		l.times = append(l.times, took)
	})
}

func (s signer) signIn(ctx context.Context) error {
	body := map[string]string{"email": s.Email, "password": suite.Password}
	if s.secret != "" {
		code, err := totp.GenerateCode(s.secret, time.Now())
		if err != nil {
			return fmt.Errorf("make a code: %w", err)
		}
		body["code"] = code
	}
	stranger := suite.Client{Base: s.Base}
	var header []string
	if s.device != "" {
		header = []string{"Cookie", s.device}
	}
	a, err := stranger.Do(ctx, http.MethodPost, "/api/auth/login", body, header...)
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("sign in: %d %s", a.Status, strings.TrimSpace(string(a.Body)))
	}
	return err
}
