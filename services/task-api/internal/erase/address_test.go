package erase

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// In a cluster of locale C, as make run can have, a letter beyond ASCII is none to Postgres,
// and has no other case.
func TestAnAddressIsFoundInEachLocale(t *testing.T) {
	for locale, written := range map[string][]string{
		"C":       {"straße.kiå@example.org", "STRAßE.KIå@EXAMPLE.ORG"},
		"C.UTF-8": {"straße.kiå@example.org", "STRAẞE.KIÅ@EXAMPLE.ORG", "straẞe.\u212aİ\u212b@example.org"},
	} {
		t.Run(locale, func(t *testing.T) {
			db, err := pgx.Connect(t.Context(), databasetest.InLocale(t, locale))
			require.NoError(t, err)
			defer db.Close(context.WithoutCancel(t.Context()))
			text := "to " + strings.Join(written, " and ") + "."
			var found bool
			var replaced string
			err = db.QueryRow(t.Context(), "SELECT "+names("$1::text")+", regexp_replace($1::text, "+address+", 'him', 'gi') FROM (SELECT ARRAY[$2] AS emails) x",
				text, written[0]).Scan(&found, &replaced)
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, "to him"+strings.Repeat(" and him", len(written)-1)+".", replaced)
		})
	}
}
