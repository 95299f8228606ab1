// Package search is how texts are compared: which texts a search finds, and in
// which order titles come. It is all computed here and stored, so that neither
// depends on the locale or the extensions of the database.
package search

import (
	"encoding/binary"
	"hash/fnv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/cases"
	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// Version is of what this package computes. Who changes that raises it, and
// adds a migration with an index of the tasks that are of another one: they are
// found as they were stored until all are computed anew.
const Version = 1

// separator stands between a title and a description. Fold removes it from
// every text, so that no search reaches from one into the other.
const separator = "\u034f" // COMBINING GRAPHEME JOINER

// letters that have an accent, or are joined, but that Unicode does not decompose.
var letters = map[rune]string{
	'Ø': "o", 'ø': "o", 'Ł': "l", 'ł': "l", 'Đ': "d", 'đ': "d", 'Ħ': "h", 'ħ': "h", 'Ŧ': "t", 'ŧ': "t",
	'ı': "i", 'Æ': "ae", 'æ': "ae", 'Œ': "oe", 'œ': "oe",
}

// Fold makes texts equal that differ only in case, accents, width or Unicode
// form: "Straße" and "STRASSE", "Ὀδυσσεύς" and "οδυσσευσ".
func Fold(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range norm.NFD.String(width.Fold.String(s)) {
		if accent(r) {
			continue
		}
		if plain, ok := letters[r]; ok {
			b.WriteString(plain)
		} else {
			b.WriteRune(r)
		}
	}
	// Composed again, what is no accent (Hangul, kana) is as short as it was.
	return norm.NFC.String(cases.Fold().String(b.String()))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// accent says whether r only marks the letter before it. The vowel signs of
// Indic scripts and the voicing of kana are marks too, but make other words.
func accent(r rune) bool {
	return r >= 0x300 && unicode.Is(unicode.Mn, r) && (unicode.Is(unicode.Inherited, r) || unicode.Is(unicode.Hebrew, r)) &&
		r != '\u3099' && r != '\u309a'
}

// Text is what a task is searched in.
func Text(title, description string) string {
	return Fold(title) + separator + Fold(description)
}

// maxKeys bounds what one task adds to the index. Longer texts than these hold
// are marked with a key of their own, and looked through one by one.
const maxKeys = 500

// The kinds of keys.
const (
	keyLetter = iota
	keyPair
	keyTag
	keyLong
)

// Keys are what a task is found by through the index: its tags, and the letters
// and pairs of letters of its text.
func Keys(user uuid.UUID, text string, tags []string) []int64 {
	own := newKeyer(user)
	keys := make([]int64, 0, 64)
	for _, tag := range tags {
		keys = append(keys, own.tag(tag))
	}
	seen := make(map[uint64]struct{}, 64)
	before := rune(0)
	for _, r := range text {
		if !unicode.IsSpace(r) {
			seen[gram(0, r)] = struct{}{}
		}
		if before != 0 {
			seen[gram(before, r)] = struct{}{}
		}
		if len(seen) > maxKeys {
			return append(keys, own.long())
		}
		before = r
	}
	for g := range seen {
		keys = append(keys, own.gram(g))
	}
	return keys
}

// Wanted is what the index is asked for: the keys of a folded search and of
// tags. Long texts have the other keys, if there are any.
func Wanted(user uuid.UUID, folded string, tags []string) (keys, long []int64) {
	own := newKeyer(user)
	for _, tag := range tags {
		keys = append(keys, own.tag(tag))
	}
	if folded == "" {
		return keys, nil
	}
	long = append(append(long, keys...), own.long())
	runes := []rune(folded)
	if len(runes) == 1 {
		if unicode.IsSpace(runes[0]) {
			// Nearly every text has one.
			return keys, nil
		}
		return append(keys, own.gram(gram(0, runes[0]))), long
	}
	for i := range len(runes) - 1 {
		keys = append(keys, own.gram(gram(runes[i], runes[i+1])))
	}
	return keys, long
}

// gram is a letter, or one behind another.
func gram(before, r rune) uint64 {
	return uint64(before)<<32 | uint64(r) //nolint:gosec // runes are not negative
}

// keyer makes the keys of a user. They begin with the user, so that those of
// one user lie together in the index: a write touches few of its pages.
type keyer uint64

func newKeyer(user uuid.UUID) keyer {
	h := fnv.New32a()
	h.Write(user[:])
	return keyer(h.Sum32()) << 32
}

func (k keyer) of(kind byte, data []byte) int64 {
	h := fnv.New32a()
	h.Write([]byte{kind})
	h.Write(data)
	return int64(uint64(k) | uint64(h.Sum32())) //nolint:gosec // all 64 bits are meant
}

func (k keyer) gram(g uint64) int64 {
	kind := byte(keyLetter)
	if g>>32 != 0 {
		kind = keyPair
	}
	return k.of(kind, binary.BigEndian.AppendUint64(make([]byte, 0, 8), g))
}

func (k keyer) tag(tag string) int64 { return k.of(keyTag, []byte(tag)) }
func (k keyer) long() int64          { return k.of(keyLong, nil) }

// maxTitleKey bounds a title's key, and with it an entry of the index. Titles
// that differ only behind that many bytes count as equal.
const maxTitleKey = 512

// titleCollator makes keys for one goroutine at a time.
type titleCollator struct {
	*collate.Collator
	buffer collate.Buffer
}

var titleCollators = sync.Pool{New: func() any { return &titleCollator{Collator: collate.New(language.Und)} }}

// TitleKey sorts, compared byte by byte, as people sort titles: by the letters
// first, then by accents, then by case (the root collation of CLDR).
func TitleKey(title string) []byte {
	c := titleCollators.Get().(*titleCollator) //nolint:forcetypeassert // the pool has nothing else
	defer titleCollators.Put(c)
	c.buffer.Reset()
	key := c.KeyFromString(&c.buffer, title)
	return append(make([]byte, 0, min(len(key), maxTitleKey)), key[:min(len(key), maxTitleKey)]...)
}
