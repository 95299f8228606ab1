package provider

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProvidersAreRead(t *testing.T) {
	configs, err := Parse(`[
		{"id": "company", "name": "Our company", "issuer": "https://id.example.org/realms/a", "client_id": "taskwire", "client_secret": "hunter2"},
		{"id": "b", "issuer": "http://127.0.0.1:5556/dex", "client_id": "taskwire", "scopes": ["email", "openid", "groups"]}]`)
	require.NoError(t, err)
	require.Equal(t, []Config{
		{"company", "Our company", "https://id.example.org/realms/a", "taskwire", "hunter2", []string{"openid", "email", "profile"}},
		{"b", "b", "http://127.0.0.1:5556/dex", "taskwire", "", []string{"openid", "email", "groups"}},
	}, configs)
	configs, err = Parse("")
	require.NoError(t, err)
	require.Empty(t, configs)
}

func TestWrongProvidersAreNamed(t *testing.T) {
	for name, c := range map[string]struct{ setting, says string }{
		"no JSON":           {`company`, "must be a list in JSON"},
		"no list":           {`{"id": "company"}`, "must be a list in JSON"},
		"two lists":         {`[] []`, "must be a list in JSON"},
		"another field":     {`[{"id": "a", "issuer": "https://a", "client_id": "c", "hunter2": 1}]`, "and nothing else"},
		"no id":             {`[{"issuer": "https://a", "client_id": "c"}]`, "of number 1 the id must be"},
		"an id of letters":  {`[{"id": "Äpfel", "issuer": "https://a", "client_id": "c"}]`, "the id must be"},
		"no issuer":         {`[{"id": "a", "client_id": "c"}]`, "the issuer must be a URL"},
		"an issuer of none": {`[{"id": "a", "issuer": "id.example.org", "client_id": "c"}]`, "the issuer must be a URL"},
		"a password":        {`[{"id": "a", "issuer": "https://u:hunter2@a", "client_id": "c"}]`, "the issuer must be a URL"},
		"no client":         {`[{"id": "a", "issuer": "https://a", "client_secret": "hunter2"}]`, "there is no client_id"},
		"one id twice":      {`[{"id": "a", "issuer": "https://a", "client_id": "c"}, {"id": "a", "issuer": "https://b", "client_id": "c"}]`, "there are two with the id, or the issuer, of number 2"},
		"one issuer twice":  {`[{"id": "a", "issuer": "https://a", "client_id": "c"}, {"id": "b", "issuer": "https://a", "client_id": "c"}]`, "there are two with the id, or the issuer, of number 2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(c.setting)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "OIDC_PROVIDERS must be ")
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}
