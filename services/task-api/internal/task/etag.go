package task

import (
	"strconv"
	"strings"
)

// etag is a strong validator: the version changes with every change.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// allows says whether a change of what has this version may go on. If-Match
// compares strongly, so a weak tag never matches.
func (p precondition) allows(version int64) bool {
	return p == "" || matches(string(p), etag(version))
}

// fresh says whether an If-None-Match names this version (RFC 9110, section
// 13.1.2): what the client has is what it would get.
func notModified(header string, version int64) bool {
	return header != "" && matches(strings.ReplaceAll(header, "W/", ""), etag(version))
}

func matches(header, tag string) bool {
	if strings.TrimSpace(header) == "*" {
		return true
	}
	for _, one := range strings.Split(header, ",") {
		if strings.TrimSpace(one) == tag {
			return true
		}
	}
	return false
}
