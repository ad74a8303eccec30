package web

import (
	"strings"

	presence "github.com/writer-presence/writer-presence"
)

// splitKey gives the tenant and the id of a project as the store knows it; see
// [identity.Request.Key]. Without tenants the first is empty.
func splitKey(key presence.Project) (tenant string, project presence.Project) {
	slash := strings.LastIndexByte(string(key), '/')
	if slash < 0 {
		return "", key
	}
	return string(key[:slash]), key[slash+1:]
}

// userKey is what limits count a user by. The same id is somebody else for another tenant.
func userKey(key presence.Project, id presence.UserID) string {
	tenant, _ := splitKey(key)
	if tenant == "" {
		return string(id)
	}
	return tenant + "/" + string(id)
}
