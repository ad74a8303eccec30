package wire

import (
	"maps"
	"slices"
	"strconv"

	presence "github.com/writer-presence/writer-presence"
)

// maxCountedSections is how many sections of a project are counted at most.
const maxCountedSections = 1000

// Counted is a project and the snapshot whose people are counted.
type Counted struct {
	Project  presence.Project
	Snapshot *presence.Snapshot
}

// AppendCounts appends the answer to a request for counts. Agents are not counted. Of a project with more than
// presence.MaxListed users, the sections of those that are not listed are not counted.
func AppendCounts(b []byte, projects []Counted) []byte {
	b = append(b, `{"success":true,"projects":{`...)
	for i, p := range projects {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, string(p.Project)), ':')
		b = appendCountsOf(b, p.Snapshot)
	}
	return append(b, `}}`...)
}

func appendCountsOf(b []byte, s *presence.Snapshot) []byte {
	users, bySection := s.Count, map[presence.Section]int{}
	for _, o := range s.Occupants {
		if o.User.Agent {
			users--
			continue
		}
		for _, section := range o.Sections {
			bySection[section]++
		}
	}
	b = append(b, `{"users":`...)
	b = strconv.AppendInt(b, int64(users), 10)
	b = append(b, `,"sections":{`...)
	sections := slices.Sorted(maps.Keys(bySection))
	for i, section := range sections[:min(len(sections), maxCountedSections)] {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, string(section)), ':')
		b = strconv.AppendInt(b, int64(bySection[section]), 10)
	}
	b = append(b, `},"version":`...)
	b = strconv.AppendUint(b, s.Version, 10)
	return append(appendPartial(b, s.Partial), '}')
}
