package rest

import (
	"strconv"
	"strings"

	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// etag is a strong validator: the version changes with every change.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// versions are those that an If-Match header names (RFC 9110, section 13.1.1), or all
// where there is no header or it is "*". It compares strongly: a weak tag names none.
func versions(ifMatch string) change.Versions {
	if ifMatch == "" || strings.TrimSpace(ifMatch) == "*" {
		return nil
	}
	named := change.Versions{}
	for _, tag := range strings.Split(ifMatch, ",") {
		tag = strings.TrimSpace(tag)
		v, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
		if err == nil && etag(v) == tag {
			named = append(named, v)
		}
	}
	return named
}

// notModified says whether an If-None-Match names this version (RFC 9110, section
// 13.1.2): what the client has is what it would get.
func notModified(ifNoneMatch string, version int64) bool {
	tags := strings.ReplaceAll(ifNoneMatch, "W/", "")
	return strings.TrimSpace(tags) != "" && versions(tags).Allow(version)
}
