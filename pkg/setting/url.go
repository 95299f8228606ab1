package setting

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// mask stands for what is not shown.
const mask = "xxxxx"

func masked(text string) string {
	if text == "" {
		return ""
	}
	return mask
}

// CheckURL wants value to be empty or a URL with a host, over HTTP.
func CheckURL(name, value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return fmt.Errorf("%s must be a URL such as https://host.example/path, not %q", name, Redact(value))
	}
	return nil
}

// PublicURL is the PUBLIC_URL where users reach the suite, with a path where there is one
// before /api.
func PublicURL(value string) (*url.URL, error) {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("PUBLIC_URL must be like https://tasks.example.org, with a path where there is one before /api")
	}
	return u, nil
}

// CheckHost wants value to be a name or an address, without a port.
func CheckHost(name, value string) error {
	u, err := url.Parse("http://" + net.JoinHostPort(value, "1"))
	if err != nil || u.Hostname() != value || value == "" {
		return fmt.Errorf("%s must be a name or an address without a port, not %q", name, Redact(value))
	}
	return nil
}

// Redact is a text without the password or the token that it holds where it is a URL.
func Redact(text string) string {
	if !strings.Contains(text, "://") || !strings.ContainsAny(text, "@?") {
		return text
	}
	return withoutPassword(text)
}

// withoutPassword is a URL without its password. Where it is not certain what of it is
// the password, nothing is shown.
func withoutPassword(text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return ""
	case err != nil, u.Host == "" && u.Path == "", u.Scheme == "", u.Opaque != "", u.Fragment != "",
		strings.Contains(u.Host+u.Path+u.RawQuery, "@"):
		return mask
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), mask)
	} else if u.User != nil && u.Scheme != "postgres" && u.Scheme != "postgresql" {
		u.User = url.User(mask) // a token may stand there alone
	}
	var query []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if !slices.Contains(plain, key) && pair != "" {
			pair = key + "=" + mask
		}
		query = append(query, pair)
	}
	u.RawQuery = strings.Join(query, "&")
	return u.String()
}

// plain are the parameters of URLs whose values are shown.
var plain = []string{"sslmode", "sslrootcert", "host", "port", "user", "dbname", "application_name", "connect_timeout", "search_path", "target_session_attrs", "tls"}
