package mail

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"
)

// Error says why a mail was not accepted.
type Error struct {
	Permanent bool   // the server has refused this mail for good: trying again cannot help
	Code      int    // the server's reply code; 0 when there was no reply
	Reason    string // for the operator and the user; may hold the recipient's address, so not for a log

	healthy bool // the connection can carry the next mail
	unsent  bool // nothing of the mail has reached the server
}

// Error is the reason.
func (e *Error) Error() string { return e.Reason }

// maxReason keeps a server from filling our table with its answer.
const maxReason = 500

func classify(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return &Error{Reason: "the mail server took too long"}
	}
	var se *gomail.SendError
	if !errors.As(err, &se) {
		return &Error{Reason: shorten(err.Error())}
	}
	code := se.ErrorCode()
	// The rest of go-mail's text repeats the recipient and the Message-ID.
	text, _, _ := strings.Cut(se.Error(), ", affected ")
	e := &Error{Code: code, Reason: shorten(text)}
	switch se.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
		e.Permanent = code >= 500
	case gomail.ErrGetRcpts:
		e.Permanent, e.healthy = true, true
		return e
	case gomail.ErrSMTPMailFrom, gomail.ErrConnCheck:
		// A refusal here is about us, not about the recipient: a setting that
		// is wrong today may be right before the mail is given up.
		e.unsent = code == 0 || code == 421
	}
	// 421: the server is closing the connection. After a refused DATA the state
	// of the session is unknown.
	e.healthy = code != 0 && code != 421 && se.Reason != gomail.ErrSMTPData
	return e
}

func shorten(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
	if len(s) <= maxReason {
		return s
	}
	s = s[:maxReason]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
