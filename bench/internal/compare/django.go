package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/writer-presence/writer-presence/bench/internal/harness"
	"github.com/writer-presence/writer-presence/bench/internal/polling"
)

// djangoDir has the views of the original specification, in a site.
const djangoDir = "peers/django"

// django is a peer. It uses the Python that has its packages: that of $PYTHON, of the system, or of the path.
type django struct{ python, postgresDir string } // set by find

func (*django) name() string { return "Django" }

func (*django) differs() (does, doesNot string) {
	return "the views of the original specification under gunicorn, with the sessions and the middleware that Django sets up by default; " +
			"CPU is that of gunicorn and of PostgreSQL, which commits each update, on the same core",
		"keeps one section of a user for all tabs, has no conflicts, saves or leaving, does not check who may see a project, pushes nothing"
}

var errInstall = errors.New("scripts/prepare bench installs what is missing")

func (d *django) find(*harness.Run) (versions string, err error) {
	for _, path := range []string{os.Getenv("PYTHON"), "/usr/bin/python3", "python3"} {
		text, err := exec.Command(path, "-c", "import django, gunicorn, psycopg2, platform as p; "+
			"print(f'{django.__version__}, gunicorn {gunicorn.__version__}, psycopg2 {psycopg2.__version__.split()[0]}, Python {p.python_version()}')").Output()
		if err == nil {
			d.python, versions = path, strings.TrimSpace(string(text))
			break
		}
	}
	if d.python == "" {
		return "", fmt.Errorf("no Python has Django, gunicorn and psycopg2; %w", errInstall)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // Debian keeps it out of the path
	if path, err := exec.LookPath("initdb"); err == nil {
		found = []string{path}
	}
	if len(found) == 0 {
		return "", fmt.Errorf("PostgreSQL is missing; %w", errInstall)
	}
	d.postgresDir = filepath.Dir(found[len(found)-1])
	text, err := exec.Command(filepath.Join(d.postgresDir, "postgres"), "--version").Output()
	return versions + ", " + strings.TrimSpace(string(text)), err
}

func (d *django) measure(r *harness.Run, s Sizes, t *harness.Table) {
	for _, people := range []int{10, 100} {
		r.Sub(func(r *harness.Run) {
			ours, theirs := polling.OursAsSpecified(r, people), d.start(r, people)
			bare := ours.Twin(r.StartYardstick("yardstick-http"))
			rounds := harness.InTurns(s.PollRounds,
				func() polling.Result { return ours.Round(s.PollTime) },
				func() polling.Result { return theirs.Round(s.PollTime) },
				func() polling.Result { return bare.Round(s.PollTime) })
			harness.ComparePeer(t, fmt.Sprintf("Django, %d people: ", people), rounds[0], rounds[1], rounds[2])
		})
	}
}

// start starts the site with its PostgreSQL. Each of the people has a session and has sent an update.
func (d *django) start(r *harness.Run, people int) *polling.Load {
	postgres, socketDir := d.startPostgres(r)
	site, err := filepath.Abs(djangoDir)
	r.Check(err)
	env := []string{"PYTHONPATH=" + site, "DJANGO_SETTINGS_MODULE=settings", "BENCH_POSTGRES=" + socketDir, "PYTHONDONTWRITEBYTECODE=1"}
	fill := exec.Command(d.python, filepath.Join(djangoDir, "fill.py"), polling.Project, strconv.Itoa(people))
	fill.Env, fill.Stderr = append(os.Environ(), env...), os.Stderr
	text, err := fill.Output()
	r.Check(err)
	var headers []string
	r.Check(json.Unmarshal(text, &headers))
	gunicorn := r.Start("env", slices.Concat(env, []string{d.python, "-m", "gunicorn", "--config", filepath.Join(site, "gunicorn.conf.py")})...)
	return polling.Specified(r, gunicorn, func(...*harness.Process) float64 { return r.FamilyCPU(gunicorn, postgres) }, headers)
}

// startPostgres starts a cluster of its own, configured as initdb does it, which only listens on a socket in a directory.
func (d *django) startPostgres(r *harness.Run) (p *harness.Process, socketDir string) {
	dir, err := os.MkdirTemp("", "writer-presence-postgres-")
	r.Check(err)
	r.Cleanup(func() { os.RemoveAll(dir) })
	var as []string
	if os.Getuid() == 0 { // as whom PostgreSQL does not run
		owner, err := user.Lookup("postgres") // whom Debian's package creates
		r.Check(err)
		uid, err := strconv.Atoi(owner.Uid)
		r.Check(err)
		r.Check(os.Chown(dir, uid, -1))
		as = []string{"setpriv", "--reuid=" + owner.Uid, "--regid=" + owner.Gid, "--clear-groups", "--"}
	}
	data := filepath.Join(dir, "data")
	initdb := slices.Concat(as, []string{filepath.Join(d.postgresDir, "initdb"), "--pgdata", data, "--username", "bench", "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"})
	if text, err := exec.Command(initdb[0], initdb[1:]...).CombinedOutput(); err != nil {
		r.Check(fmt.Errorf("initdb: %w\n%s", err, text))
	}
	command := slices.Concat(as, []string{filepath.Join(d.postgresDir, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses="})
	p = r.StartWhen(func(line string) bool { return strings.Contains(line, "ready to accept connections") }, command[0], command[1:]...)
	return p, dir
}
