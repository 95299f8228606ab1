package mail

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/taskapi"
)

// Account is a mail about an account, or an invitation.
type Account struct {
	taskapi.AccountMail
	Public *url.URL       // where the suite is reached; nil: there are no links
	Zone   *time.Location // the user's
}

// Why it came.
func (a Account) Why() string {
	if a.Kind == taskapi.MailInvitation {
		return "Somebody who uses taskwire named your address."
	}
	return "An account of taskwire has your address, or is to have it."
}

// Text returns the subject and the body of the mail. What users have chosen, such as names,
// is on lines of its own that it can not leave.
func (a Account) Text() (subject, body string) {
	switch a.Kind {
	case taskapi.MailVerify:
		return "Confirm your address", a.greeting() + "An account of taskwire is to have this address. To confirm that it is yours:\n\n" +
			a.link("account/verify", "verify") + "If it was not you who asked for this, do nothing.\n"
	case taskapi.MailWelcome:
		return "An account of taskwire for you", a.greeting() + "The operator has made an account for you. To choose its password:\n\n" + a.link("account/reset", "reset")
	case taskapi.MailReset:
		return "Set a new password", a.greeting() + "Somebody asked for a new password for the account with this address. To set one:\n\n" +
			a.link("account/reset", "reset") + "If it was not you, do nothing: the password stays as it is.\n"
	case taskapi.MailInvitation:
		by, list := oneLine(a.InvitedBy), oneLine(a.List)
		return fmt.Sprintf("%s invites you to a list of tasks", by), fmt.Sprintf("%s invites you to the list\n\n    %s\n\nTo accept, or to decline, sign in with this address, or make an account with it.\n%s", by, list, a.home())
	default:
		return a.notice()
	}
}

func (a Account) greeting() string {
	if a.Name == "" {
		return ""
	}
	return "Hello " + oneLine(a.Name) + ",\n\n"
}

// link is where the mail leads, with its secret behind the #: browsers send that nowhere.
func (a Account) link(path, operation string) string {
	until := ""
	if a.ExpiresAt != nil {
		until = "It is good once, until " + a.ExpiresAt.In(a.Zone).Format("Monday, 2 January 2006, 15:04 MST") + " (" + a.Zone.String() + ").\n"
	}
	if a.Public == nil {
		return "    " + a.Token + "\n\nis the token for POST /api/auth/" + operation + ". " + until
	}
	link := a.Public.JoinPath(path)
	link.Fragment = a.Token
	return link.String() + "\n\n" + until
}

func (a Account) home() string {
	if a.Public == nil {
		return ""
	}
	return "\n" + a.Public.String() + "\n"
}

// notices are what a notice says: its subject, what happened, and what to do if that was
// somebody else.
var notices = map[string][3]string{
	taskapi.NoticePasswordChanged: {
		"Your password was changed", "The password of your account was changed, and its other devices were signed out.",
		"If it was not you, ask for a new password at once: forgotten password, where you sign in.",
	},
	taskapi.NoticeAddressChanged: {
		"Your address was changed", "Your account has another address from now on: this is the last mail about it that comes here.",
		"If it was not you, tell the operator.",
	},
	taskapi.NoticeTokenCreated: {
		"An API token was made", "An API token was made for your account: with it a program acts for you.",
		"If it was not you, revoke it and change your password.",
	},
	taskapi.NoticeAddressAsked: {
		"Your account may get another address", "Another address was asked for, for your account. It has it once the link in a mail to that address is followed.",
		"If it was not you, change your password: the link is of no use then.",
	},
	taskapi.NoticeErasureAsked: {
		"Your account is to be erased", "You have asked for your account to be erased, with all that is yours. Until then you can sign in, and call it back.",
		"If it was not you, call it back and change your password.",
	},
	taskapi.NoticeOperatorGranted: {
		"Your account is an operator's", "The operator has made yours an operator's account: it sees how the suite is, and what could not be handled.",
		"If you do not expect this, tell the operator.",
	},
	taskapi.NoticeOperatorRevoked: {
		"Your account is no operator's any more", "The operator has taken from your account what operators see.",
		"If you do not expect this, tell the operator.",
	},
	taskapi.NoticeNewDevice: {
		"A new device signed in", "A device that was not known before signed in to your account.",
		"If it was not you, change your password: that signs all other devices out.",
	},
	taskapi.NoticeRegisteredAgain: {
		"You have an account", "Somebody wanted to make an account with this address, which has one already. Sign in, or ask for a new password if you forgot it.",
		"If it was not you, there is nothing to do.",
	},
	taskapi.NoticeAddressTaken: {
		"You have an account", "Another account wanted to have this address, which is yours. Nothing was changed.",
		"If it was not you, there is nothing to do.",
	},
}

func (a Account) notice() (subject, body string) {
	text, ok := notices[a.Notice]
	if !ok { // of a task-api that is ahead
		text = [3]string{"Your account was changed", "Something about how you sign in was changed: " + strings.ReplaceAll(oneLine(a.Notice), "_", " ") + ".", "If it was not you, change your password."}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n\n", a.greeting(), text[1])
	fmt.Fprintf(&b, "    When: %s (%s)\n", a.At.In(a.Zone).Format("Monday, 2 January 2006, 15:04 MST"), a.Zone)
	if a.IP != "" {
		fmt.Fprintf(&b, "    From: %s\n", oneLine(a.IP))
	}
	if a.Device != "" {
		fmt.Fprintf(&b, "    With: %s\n", oneLine(a.Device))
	}
	return text[0], b.String() + "\n" + text[2] + "\n" + a.home()
}
