package search_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/taskwire/taskwire/services/task-api/internal/search"
)

func TestFoldedTextsIgnoreCaseAccentsAndForms(t *testing.T) {
	for _, equal := range [][]string{
		{"молоко", "Молоко", "МОЛОКО"},
		{"ёлка", "Ёлка", "елка"},
		{"café", "CAFÉ", "cafe", norm.NFD.String("Café")},
		{"straße", "Strasse", "STRASSE", "STRAẞE"},
		{"Ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ", "οδυσσευσ"},
		{"Łódź", "lodz"},
		{"İstanbul", "istanbul", "ıstanbul"},
		{"smørrebrød", "Smorrebrod"},
		{"ﬁn", "FIN"},
		{"Ｔａｓｋ", "task"},
		{"tiếng Việt", "tieng viet"},
		{"한글", norm.NFD.String("한글")},
		{"שָׁלוֹם", "שלום"},
	} {
		for _, text := range equal {
			require.Equal(t, search.Fold(equal[0]), search.Fold(text), "%q and %q", equal[0], text)
		}
	}
	require.NotEqual(t, search.Fold("はは"), search.Fold("ばば"), "voicing makes another word")
	require.NotEqual(t, search.Fold("कि"), search.Fold("कु"), "so does a vowel sign")
}

func FuzzAFoldedTextStaysAsItIs(f *testing.F) {
	for _, s := range []string{"Straße", "ΌΣΟΣ", "ǰŉΐ", "한ᄒ", "e\u0301\u0345", "\u1e9e", "ﬀ", "\xff"} {
		f.Add(s, "x"+s+"y")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		folded := search.Fold(a)
		if search.Fold(folded) != folded {
			t.Errorf("%q: %q, then %q", a, folded, search.Fold(folded))
		}
		// What the index is asked for is in the keys of each text that has it.
		user := uuid.UUID{1}
		text := search.Text(b+a, a+b)
		if want := search.Fold(a); strings.Contains(text, want) {
			has := search.Keys(user, text, nil)
			keys, long := search.Wanted(user, want, nil)
			in := func(wanted []int64) bool {
				return !slices.ContainsFunc(wanted, func(k int64) bool { return !slices.Contains(has, k) })
			}
			if !in(keys) && !in(long) {
				t.Errorf("%q would not be found in %q", want, text)
			}
		}
	})
}

func TestATextAddsABoundedNumberOfKeys(t *testing.T) {
	user := uuid.New()
	var long strings.Builder
	for i := range 20000 {
		long.WriteRune(rune(0x4e00 + i))
	}
	keys := search.Keys(user, search.Text("t", long.String()), []string{"a", "b"})
	require.Len(t, keys, 3)
	_, wanted := search.Wanted(user, "x", []string{"b"})
	for _, k := range wanted {
		require.Contains(t, keys, k)
	}
	require.NotContains(t, keys, search.Keys(uuid.New(), search.Text("t", long.String()), nil)[0], "another user's keys")
}

func TestTitlesSortAsPeopleSort(t *testing.T) {
	want := []string{
		" ", "-", "1", "10", "2", "a", "A", "á", "apple", "Apple", "Äpfel", "cote", "coté", "côte", "côté", "Öl", "Olive", "zebra", "Zebra", "ёлка", "ель", "日本",
	}
	// Of letters alone, in whatever order the accents are.
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortStableFunc(got, func(a, b string) int { return bytes.Compare(search.TitleKey(a), search.TitleKey(b)) })
	place := func(s string) int { return slices.Index(got, s) }
	for _, pair := range [][2]string{{"apple", "Apple"}, {"Apple", "Zebra"}, {"zebra", "Zebra"}, {"a", "á"}, {"á", "apple"}, {"cote", "coté"}, {"côté", "Öl"}, {"Zebra", "ель"}, {"1", "2"}, {"10", "2"}, {"2", "a"}} {
		require.Less(t, place(pair[0]), place(pair[1]), "%q before %q in %q", pair[0], pair[1], got)
	}
	require.Equal(t, search.TitleKey("é"), search.TitleKey("e\u0301"))
}

func TestATitlesKeyFitsTheIndex(t *testing.T) {
	for _, title := range []string{strings.Repeat("💥", 200), strings.Repeat("é", 200), strings.Repeat("\u1e9e", 200), strings.Repeat("\ufdfa", 200), ""} {
		require.LessOrEqual(t, len(search.TitleKey(title)), 512)
	}
}

// 20,000 characters of whatever kind cost no more than their size deserves.
func TestIndexingATextCostsWhatItsSizeDeserves(t *testing.T) {
	for name, text := range map[string]string{
		"ascii": strings.Repeat("measured ", 2222), "marks": strings.Repeat("e\u0301\u0302", 6666), "expands": strings.Repeat("\ufdfa", 20000),
		"hangul": strings.Repeat("\u1112\u1161\u11ab", 6666), "only marks": strings.Repeat("\u0301", 20000),
	} {
		start := time.Now()
		folded := search.Text("t", text)
		keys := search.Keys(uuid.New(), folded, nil)
		t.Log(name, len(text), len(folded), len(keys), time.Since(start))
		require.LessOrEqual(t, len(folded), 3*len(text)+10)
	}
}

func BenchmarkIndex(b *testing.B) {
	user := uuid.New()
	short := "Write the figures down"
	for _, n := range []int{0, 200, 2000, 20000} {
		var text strings.Builder
		for i := 0; text.Len() < n; i++ {
			fmt.Fprintf(&text, "%s %d ", []string{"the", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs"}[i%8], i)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				search.Keys(user, search.Text(short, text.String()), nil)
				search.TitleKey(short)
			}
		})
	}
}
