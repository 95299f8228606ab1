// Package provider asks OpenID providers who somebody is (OpenID Connect Core 1.0, the
// authorization code flow with PKCE).
package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"unicode/utf8"
)

// Config is a provider, as an operator names it.
type Config struct {
	// ID is in addresses of the API; it does not change, or the provider refuses them.
	ID string `json:"id"`
	// Name is what users see; "" is the ID.
	Name string `json:"name"`
	// Issuer is the provider's URL, as its tokens name it to the letter.
	Issuer       string `json:"issuer"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"` // "" for a client that has none
	// Scopes are what is asked for besides openid; none are email and profile.
	Scopes []string `json:"scopes"`
}

// mostProviders is how many there may be.
const mostProviders = 20

const example = `OIDC_PROVIDERS must be a list in JSON, such as [{"id": "company", "issuer": "https://id.example.org", "client_id": "taskwire", "client_secret": "…"}]`

var providerID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,29}$`)

// Parse reads OIDC_PROVIDERS; nothing is none. The error says what is wrong, and has none
// of the secrets.
func Parse(setting string) ([]Config, error) {
	if setting == "" {
		return nil, nil
	}
	var configs []Config
	decoder := json.NewDecoder(bytes.NewReader([]byte(setting)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&configs); err != nil || decoder.More() {
		return nil, errors.New(example + ", with name and scopes where they are wanted, and nothing else")
	}
	if len(configs) > mostProviders {
		return nil, fmt.Errorf("%s, of %d at most", example, mostProviders)
	}
	for i, c := range configs {
		if i != slices.IndexFunc(configs, func(other Config) bool { return other.ID == c.ID || other.Issuer == c.Issuer }) {
			return nil, fmt.Errorf("%s; there are two with the id, or the issuer, of number %d", example, i+1)
		}
		if wrong := c.wrong(); wrong != "" {
			return nil, fmt.Errorf("%s; of number %d %s", example, i+1, wrong)
		}
		if c.Name == "" {
			configs[i].Name = c.ID
		}
		if len(c.Scopes) == 0 {
			configs[i].Scopes = []string{"email", "profile"}
		}
		configs[i].Scopes = slices.Concat([]string{"openid"}, slices.DeleteFunc(configs[i].Scopes, func(s string) bool { return s == "openid" }))
	}
	return configs, nil
}

// wrong is what can not be of a provider; "" for nothing.
func (c Config) wrong() string {
	issuer, err := url.Parse(c.Issuer)
	switch {
	case !providerID.MatchString(c.ID):
		return "the id must be 1 to 30 of a-z, 0-9 and -"
	case utf8.RuneCountInString(c.Name) > 100:
		return "the name may have 100 characters"
	case err != nil || issuer.Scheme != "https" && issuer.Scheme != "http" || issuer.Hostname() == "" || issuer.User != nil || issuer.RawQuery != "" || issuer.Fragment != "" || len(c.Issuer) > 255:
		return "the issuer must be a URL, such as https://id.example.org"
	case c.ClientID == "":
		return "there is no client_id"
	}
	return ""
}
