package taskapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// AccountMailsPath is where WriteMails is answered.
const AccountMailsPath = "/internal/account-mails"

// MaxMails is how many mails one WriteMails may ask for.
const MaxMails = 100

// WriteMails asks what mails about accounts say, just before they are sent.
type WriteMails struct {
	Mails []uuid.UUID `json:"mails" maxItems:"100" nullable:"false"`
}

// WrittenMails is the answer: an AccountMail for each, in the same order.
type WrittenMails struct {
	Mails []AccountMail `json:"mails"`
}

// AccountMail is a mail about an account or an invitation. It is to be sent, and kept
// nowhere: there may be a secret in it.
type AccountMail struct {
	ID     uuid.UUID `json:"mail_id"`
	Stands bool      `json:"stands"`
	Reason string    `json:"reason"` // why not
	Kind   string    `json:"kind"`   // one of the kinds below

	To       string `json:"to"`
	Name     string `json:"name"`     // of whose account it is; may be empty
	Timezone string `json:"timezone"` // theirs

	// Of MailVerify, MailWelcome and MailReset.
	Token     string     `json:"token"`
	ExpiresAt *time.Time `json:"expires_at"`

	// Of MailNotice: what happened, and when, and where it came from.
	Notice string    `json:"notice"`
	At     time.Time `json:"at"`
	IP     string    `json:"ip"`
	Device string    `json:"device"`

	List      string `json:"list"`       // of MailInvitation: its name
	InvitedBy string `json:"invited_by"` // of MailInvitation: a name or an address
}

// The kinds of mail about accounts.
const (
	MailVerify     = "verify"
	MailWelcome    = "welcome"
	MailReset      = "reset"
	MailNotice     = "notice"
	MailInvitation = "invitation"
)

// What a MailNotice is about.
const (
	NoticePasswordChanged = "password_changed"
	NoticeAddressChanged  = "address_changed"
	NoticeTokenCreated    = "token_created"
	NoticeFactorAdded     = "second_factor_added"
	NoticeFactorRemoved   = "second_factor_removed"
	NoticeIdentityAdded   = "provider_linked"
	NoticeIdentityRemoved = "provider_link_removed"
	NoticePasskeyAdded    = "passkey_added"
	NoticePasskeyRemoved  = "passkey_removed"
	NoticeAddressAsked    = "address_asked"
	NoticeErasureAsked    = "erasure_asked"
	NoticeOperatorGranted = "operator_granted"
	NoticeOperatorRevoked = "operator_revoked"
	NoticeNewDevice       = "new_device"
	NoticeRegisteredAgain = "registered_again" // somebody wanted to make an account with the address
	NoticeAddressTaken    = "address_taken"    // another account wanted to have the address
)

// Why a mail is not to be sent any more, beside Deleted.
const (
	MailUsed       = "used"       // what it asks for is done
	MailExpired    = "expired"    // it comes too late
	MailNoAccount  = "no_account" // nobody has the address
	MailUnverified = "unverified" // it was not shown whose the address is
	MailBlocked    = "blocked"    // the account is
	MailTooMany    = "too_many"   // notices within an hour
)

// WriteMails asks what mails (at most MaxMails) say. The answer holds one for each, in the
// same order. Every error may pass.
func (c *Client) WriteMails(ctx context.Context, mails []uuid.UUID) ([]AccountMail, error) {
	var answer WrittenMails
	status, err := c.Sidecar.Post(ctx, appID, AccountMailsPath, WriteMails{mails}, &answer)
	if err != nil {
		return nil, fmt.Errorf("ask for the mails about accounts: %w", err)
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("ask for the mails about accounts: task-api answered %d", status)
	}
	if len(answer.Mails) != len(mails) {
		return nil, fmt.Errorf("ask for %d mails about accounts: task-api answered with %d", len(mails), len(answer.Mails))
	}
	for i, m := range answer.Mails {
		if m.ID != mails[i] {
			return nil, fmt.Errorf("ask for the mails about accounts: the answer lacks mail %s", mails[i])
		}
	}
	return answer.Mails, nil
}
