package setting_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/setting"
)

type nested struct {
	Wait time.Duration `env:"WAIT" envDefault:"1m" min:"1s" max:"1h"`
}

type settings struct {
	nested
	Other struct {
		Wait time.Duration `env:"OTHER_WAIT" min:"2s"`
	}
	Count    int      `env:"COUNT,required,notEmpty" min:"1"`
	Loud     bool     `env:"LOUD"`
	Format   string   `env:"FORMAT" envDefault:"text" oneof:"text json yaml"`
	Names    []string `env:"NAMES"`
	Where    string   `env:"WHERE" secret:"url"`
	Password string   `env:"PASSWORD,required,notEmpty" secret:"value"`
	Key      string   `env:"KEY" secret:"value" neededBy:"sign" is:"a key"`
}

func (s settings) Validate() error {
	var errs []error
	if !strings.HasPrefix(s.Password, "p") {
		errs = append(errs, errors.New("PASSWORD must begin with a p"))
	}
	if s.Count > 5 && s.Format != "json" {
		errs = append(errs, errors.New("COUNT must be at most 5 unless FORMAT is json"))
	}
	return errors.Join(errs...)
}

func load(t *testing.T, command string, set map[string]string) (settings, []setting.Value, error) {
	t.Helper()
	for name, value := range set {
		t.Setenv(name, value)
	}
	var s settings
	values, err := setting.Load(&s, command)
	return s, values, err
}

func TestEachWrongSettingIsNamedWithWhatItMustBe(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	for name, c := range map[string]struct {
		command string
		set     map[string]string
		says    []string // nil: it is taken
	}{
		"all as they must be": {},
		"several": {set: map[string]string{"WAIT": "soon", "COUNT": "many", "FORMAT": "xml"}, says: []string{
			`WAIT must be a duration from 1s to 1h, such as 30s, 5m or 72h, not "soon"`,
			`COUNT must be a whole number of at least 1, not "many"`,
			`FORMAT must be text, json or yaml, not "xml"`,
		}},
		"a second field of the same name": {set: map[string]string{"OTHER_WAIT": "1"}, says: []string{
			`OTHER_WAIT must be a duration of at least 2s, such as 30s, 5m or 72h, not "1"`,
		}},
		"below":                   {set: map[string]string{"WAIT": "1ms"}, says: []string{`WAIT must be a duration from 1s to 1h, such as 30s, 5m or 72h, not "1ms"`}},
		"above":                   {set: map[string]string{"WAIT": "61m"}, says: []string{`WAIT must be a duration from 1s to 1h, such as 30s, 5m or 72h, not "61m"`}},
		"at the bounds":           {set: map[string]string{"WAIT": "1h", "OTHER_WAIT": "2s"}},
		"neither true nor false":  {set: map[string]string{"LOUD": "yes"}, says: []string{`LOUD must be true or false, not "yes"`}},
		"what is needed is empty": {set: map[string]string{"COUNT": ""}, says: []string{`COUNT is not set; it must be a whole number of at least 1`}},
		"a missing secret":        {set: map[string]string{"PASSWORD": ""}, says: []string{`PASSWORD is not set, nor is PASSWORD_FILE; it must begin with a p`}},
		"a wrong secret":          {set: map[string]string{"PASSWORD": "hunter2"}, says: []string{`PASSWORD must begin with a p`}},
		"two that do not go together": {set: map[string]string{"COUNT": "6"}, says: []string{
			"COUNT must be at most 5 unless FORMAT is json",
		}},
		"one is said of each": {set: map[string]string{"COUNT": "0", "FORMAT": "xml"}, says: []string{
			`COUNT must be a whole number of at least 1, not "0"`, `FORMAT must be text, json or yaml, not "xml"`,
		}},
		"what another command needs": {command: "list"},
		"what this command needs":    {command: "sign", says: []string{"KEY is not set, nor is KEY_FILE; it must be a key"}},
		"it has that":                {command: "sign", set: map[string]string{"KEY": "k"}},
		"it has that in a file":      {command: "sign", set: map[string]string{"KEY_FILE": write("key", "k")}},
		"a file that is not there": {set: map[string]string{"KEY_FILE": "/none"}, says: []string{
			`KEY_FILE must name a file that can be read, not "/none": no such file or directory`,
		}},
		"an empty file":    {set: map[string]string{"KEY_FILE": write("empty", "\n")}, says: []string{`KEY_FILE must name a file that holds the value; "` + filepath.Join(dir, "empty") + `" is empty`}},
		"a file and value": {set: map[string]string{"KEY_FILE": write("both", "k"), "KEY": "k"}, says: []string{"KEY and KEY_FILE are both set; only one of them may be"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("COUNT", "3")
			t.Setenv("PASSWORD", "p")
			_, _, err := load(t, c.command, c.set)
			if c.says == nil {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, strings.Join(c.says, "\n"))
		})
	}
}

func TestASecretMayBeInAFile(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"as it is":              {"pass word", "pass word"},
		"its last line end":     {"password\n", "password"},
		"of another system":     {"password\r\n", "password"},
		"one line end alone":    {"password\n\n", "password\n"},
		"spaces stay":           {" p \n", " p "},
		"and other line ends":   {"p\nq\n", "p\nq"},
		"a backslash is itself": {`p\n`, `p\n`},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "secret")
			require.NoError(t, os.WriteFile(file, []byte(c.text), 0o600))
			s, values, _ := load(t, "", map[string]string{"COUNT": "1", "PASSWORD": "", "PASSWORD_FILE": file})
			require.Equal(t, c.want, s.Password)
			require.Contains(t, values, setting.Value{Name: "PASSWORD", Text: "xxxxx", From: file})
		})
	}
	// What is no secret is read from no file.
	_, _, err := load(t, "", map[string]string{"PASSWORD_FILE": "", "PASSWORD": "p", "COUNT": "", "COUNT_FILE": "/etc/hostname"})
	require.ErrorContains(t, err, "COUNT is not set")
}

func TestValuesAreShownWithoutTheirSecrets(t *testing.T) {
	_, values, err := load(t, "", map[string]string{ //nolint:gosec // nobody's password
		"COUNT": "1", "PASSWORD": "p4ss", "WHERE": "smtp://u:hunter2@host", "NAMES": "kafka://u:hunter2@a,b", "FORMAT": "",
	})
	require.NoError(t, err)
	var shown [][3]string
	for _, v := range values {
		shown = append(shown, [3]string{v.Name, v.Text, v.From})
	}
	require.Equal(t, [][3]string{
		{"WAIT", "1m", "default"},
		{"OTHER_WAIT", "", "default"},
		{"COUNT", "1", "environment"},
		{"LOUD", "", "default"},
		{"FORMAT", "text", "default"},
		{"NAMES", "kafka://u:xxxxx@a,b", "environment"},
		{"WHERE", "smtp://u:xxxxx@host", "environment"},
		{"PASSWORD", "xxxxx", "environment"},
		{"KEY", "", "default"},
	}, shown)
}

func TestOfAURLThatIsASecretThePasswordIsNotShown(t *testing.T) {
	for address, want := range map[string]string{ //nolint:gosec // nobody's passwords
		"postgres://u:hunter2@db:5432/x?sslmode=disable": "postgres://u:xxxxx@db:5432/x?sslmode=disable",
		"postgres://u:h%40nter2@db/x":                    "postgres://u:xxxxx@db/x",
		"postgres://u@db/x":                              "postgres://u@db/x",
		"postgres:///x?host=/run/pg&user=u":              "postgres:///x?host=/run/pg&user=u",
		"postgres://db/x?user=u&password=hunter2":        "postgres://db/x?user=u&password=xxxxx",
		"postgres://db/x?pass%77ord=hunter2&sslmode=no":  "postgres://db/x?pass%77ord=xxxxx&sslmode=no",
		"postgres://u:a@h1:1,h2:2/x":                     "postgres://u:xxxxx@h1:1,h2:2/x",
		"postgres://u:hunt#er2@db/x":                     "xxxxx",
		"postgres://u:12/hunter2@db/x":                   "xxxxx",
		"postgres://u:12?hunter2@db/x":                   "xxxxx",
		"host=db user=u password=hunter2":                "xxxxx",
		"hunter2":                                        "xxxxx",
		"u:hunter2@db":                                   "xxxxx",
	} {
		_, values, err := load(t, "", map[string]string{"COUNT": "1", "PASSWORD": "p", "WHERE": address})
		require.NoError(t, err)
		require.Contains(t, values, setting.Value{Name: "WHERE", Text: want, From: "environment"})
	}
}

// Of what is no secret the password and the token in a URL are one all the same.
func TestAURLIsShownWithoutWhatOpensIt(t *testing.T) {
	for text, want := range map[string]string{ //nolint:gosec // nobody's password
		"text":                                  "text",
		"a@b?c=d":                               "a@b?c=d",
		"https://id.example/keys":               "https://id.example/keys",
		"https://u:hunter2@id.example/keys":     "https://u:xxxxx@id.example/keys",
		"https://id.example/keys?token=hunter2": "https://id.example/keys?token=xxxxx",
	} {
		require.Equal(t, want, setting.Redact(text))
	}
}
