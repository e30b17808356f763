package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/windlass-jobs/windlass/jobs"
	"github.com/windlass-jobs/windlass/jobs/access"
	"github.com/windlass-jobs/windlass/jobs/store"
	"github.com/windlass-jobs/windlass/services/api/httpapi"
)

// guarded is a system that asks for tokens.
type guarded struct {
	*system
	guard *access.Guard
}

func newGuarded(t *testing.T, change ...func(*httpapi.Options)) *guarded {
	t.Helper()
	plain := newSystem(t)
	g := &guarded{system: plain}
	var err error
	if g.guard, err = access.NewGuard(access.GuardOptions{Store: plain.store, Bus: plain.queue}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.guard.Close)
	opts := httpapi.Options{Client: plain.client, Ping: plain.store.Ping, Guard: g.guard}
	for _, c := range change {
		c(&opts)
	}
	if g.handler, err = httpapi.New(opts); err != nil {
		t.Fatal(err)
	}
	return g
}

// token makes a token with scopes and returns what goes into a request.
func (g *guarded) token(name string, scopes []access.Scope, types, queues []string) (id string, header []string) {
	g.t.Helper()
	t, secret, err := access.NewToken(name, scopes, types, queues, "test")
	if err == nil {
		_, err = g.store.CreateToken(g.t.Context(), t, 0)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	return t.ID, []string{"Authorization", "Bearer " + secret}
}

func (g *guarded) role(name string) []string {
	g.t.Helper()
	r, ok := access.RoleNamed(name)
	if !ok {
		g.t.Fatalf("no role %s", name)
	}
	_, header := g.token(name, r.Scopes, nil, nil)
	return header
}

// operation is one of the OpenAPI document.
type operation struct {
	ID       string                `json:"operationId"`
	Security []map[string][]string `json:"security"`
	Response map[string]any        `json:"responses"`
	route    string
}

func operations(t *testing.T) (list []operation) {
	t.Helper()
	raw, err := httpapi.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]operation `json:"paths"`
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	for path, methods := range document.Paths {
		for method, op := range methods {
			op.route = strings.ToUpper(method) + " " + path
			list = append(list, op)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].route < list[j].route })
	if len(list) < 18 {
		t.Fatalf("only %d operations", len(list))
	}
	return list
}

// needs is the one table of who may do what. A route that is not in it fails the test below: whoever adds one decides.
var needs = map[string]access.Scope{
	"POST /jobs": access.Submit, "POST /jobs/bulk": access.Submit,
	"GET /jobs": access.Read, "GET /jobs/{id}": access.Read, "GET /dlq": access.Read, "GET /job-types": access.Read,
	"GET /queues": access.Read, "GET /workers": access.Read, "GET /workers/{id}": access.Read, "GET /metrics": access.Read,
	"POST /jobs/{id}/retry": access.Operate, "POST /jobs/{id}/cancel": access.Operate, "DELETE /jobs/{id}": access.Operate,
	"POST /dlq/retry": access.Operate,
	"GET /tokens":     access.Admin, "POST /tokens": access.Admin, "DELETE /tokens/{id}": access.Admin,
	"GET /audit": access.Admin,
	"GET /livez": "", "GET /healthz": "", "GET /readyz": "",
}

func TestEveryRouteNamesItsScope(t *testing.T) {
	list := operations(t)
	for _, op := range list {
		scope, known := needs[op.route]
		if !known {
			t.Errorf("%s is not in the table of scopes", op.route)
			continue
		}
		want := "[map[token:[" + string(scope) + "]]]"
		if scope == "" {
			want = "[]"
		}
		if got := fmt.Sprint(op.Security); got != want {
			t.Errorf("%s: security %s, want %s", op.route, got, want)
		}
		for _, status := range []string{"401", "403"} {
			if _, documented := op.Response[status]; documented != (scope != "") {
				t.Errorf("%s: %s documented: %v", op.route, status, documented)
			}
		}
	}
	if len(list) != len(needs) {
		t.Errorf("%d operations, and %d in the table", len(list), len(needs))
	}
}

// Every route for every role, for a token without a scope that fits, and without a token.
func TestEveryRouteForEveryRole(t *testing.T) {
	g := newGuarded(t)
	roles := map[string][]string{}
	scopes := map[string][]access.Scope{}
	for _, r := range access.Roles {
		roles[r.Name], scopes[r.Name] = g.role(r.Name), r.Scopes
	}
	for _, op := range operations(t) {
		method, path, _ := strings.Cut(op.route, " ")
		path = strings.ReplaceAll(path, "{id}", "0192f000-0000-7000-8000-00000000ffff")
		body := ""
		if method == "POST" {
			body = `{"nonsense":true}`
		}
		scope := needs[op.route]
		for role, header := range roles {
			r := g.do(method, path, body, header...)
			allowed := scope == "" || slices.Contains(scopes[role], scope)
			if refused := r.status == 401 || r.status == 403; refused == allowed {
				t.Errorf("%s as %s: %d %s", op.route, role, r.status, r.body)
			}
			if r.status == 403 && !strings.Contains(r.body, `\"`+string(scope)+`\"`) {
				t.Errorf("%s as %s: the answer does not name the scope: %s", op.route, role, r.body)
			}
		}
		for name, header := range map[string][]string{
			"nobody": nil, "another scheme": {"Authorization", "Basic YTpi"},
			"unknown": {"Authorization", "Bearer " + access.NewSecret()},
		} {
			r := g.do(method, path, body, header...)
			if (r.status == 401) != (scope != "") {
				t.Errorf("%s as %s: %d %s", op.route, name, r.status, r.body)
			}
		}
	}
}

func TestCausesOf401AreAlike(t *testing.T) {
	g := newGuarded(t)
	revokedID, revoked := g.token("revoked", access.Scopes, nil, nil)
	if _, err := g.guard.Revoke(t.Context(), revokedID); err != nil {
		t.Fatal(err)
	}
	expired, secret, err := access.NewToken("expired", access.Scopes, nil, nil, "")
	if err == nil {
		_, err = g.store.CreateToken(t.Context(), expired, time.Microsecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	g.ahead.Store(int64(time.Second))
	var first *reply
	for name, header := range map[string][]string{
		"none": nil, "empty": {"Authorization", ""}, "scheme only": {"Authorization", "Bearer"},
		"unknown": {"Authorization", "Bearer " + access.NewSecret()},
		"no form": {"Authorization", "Bearer hello"}, "revoked": revoked, "expired": {"Authorization", "Bearer " + secret},
		"twice": {"Authorization", "Bearer a", "Authorization", "Bearer b"},
	} {
		for _, path := range []string{"/jobs", "/nothing/here", "/jobs/../livez", "/tokens"} {
			r := g.do("GET", path, "", header...)
			g.refused(r, 401)
			if got := r.header.Get("Www-Authenticate"); got != "Bearer" {
				t.Errorf("%s: WWW-Authenticate %q", name, got)
			}
			if first == nil {
				first = &r
			}
			if r.body != first.body || fmt.Sprint(r.header) != fmt.Sprint(first.header) {
				t.Errorf("%s, %s: %v %s, and another cause %v %s", name, path, r.header, r.body, first.header, first.body)
			}
		}
	}
}

func TestWhatIsOpenWithoutAToken(t *testing.T) {
	g := newGuarded(t)
	for _, path := range []string{"/livez", "/healthz", "/readyz", "/openapi.json", "/docs", "/docs/docs.js"} {
		if r := g.do("GET", path, ""); r.status != 200 {
			t.Errorf("%s: %d", path, r.status)
		}
	}
	text := []string{"Accept", "text/plain"}
	if r := g.do("GET", "/metrics", "", text...); r.status != 401 {
		t.Errorf("metrics: %d", r.status)
	}
	if r := g.do("GET", "/metrics", "", append(g.role("viewer"), text...)...); r.status != 200 {
		t.Errorf("metrics as viewer: %d", r.status)
	}
	open := newGuarded(t, func(o *httpapi.Options) { o.MetricsPublic = true })
	if r := open.do("GET", "/metrics", "", text...); r.status != 200 || !strings.Contains(r.body, "windlass_jobs") {
		t.Errorf("public metrics: %d", r.status)
	}
	if r := open.do("GET", "/jobs", ""); r.status != 401 {
		t.Errorf("jobs beside public metrics: %d", r.status)
	}
}

func TestPayloadsNeedTheirScope(t *testing.T) {
	g := newGuarded(t)
	id := g.job(`{"type":"email","payload":{"secret":"marker"}}`, g.role("developer"))
	viewer := g.do("GET", "/jobs/"+id, "", g.role("viewer")...)
	if viewer.status != 200 || strings.Contains(viewer.body, "marker") || viewer.field("payload") != nil ||
		viewer.field("payload_withheld") != true {
		t.Errorf("viewer: %d %s", viewer.status, viewer.body)
	}
	developer := g.do("GET", "/jobs/"+id, "", g.role("developer")...)
	if !strings.Contains(developer.body, "marker") || strings.Contains(developer.body, "withheld") {
		t.Errorf("developer: %s", developer.body)
	}
	_, operates := g.token("x", []access.Scope{access.Operate}, nil, nil)
	if r := g.do("POST", "/jobs/"+id+"/cancel", "", operates...); r.status != 200 || strings.Contains(r.body, "marker") {
		t.Errorf("cancel without read_payloads: %d %s", r.status, r.body)
	}
}

func (g *guarded) job(body string, header []string) string {
	g.t.Helper()
	r := g.post(body, header...)
	if r.status != 201 {
		g.t.Fatalf("submit: %d %s", r.status, r.body)
	}
	return r.field("id").(string)
}

func TestIdempotencyKeysBelongToTheirToken(t *testing.T) {
	g := newGuarded(t)
	ada, eve := append(g.role("operator"), "Idempotency-Key", "k"), append(g.role("operator"), "Idempotency-Key", "k")
	first := g.job(`{"type":"email","payload":{"a":1}}`, ada)
	if r := g.post(`{"type":"email","payload":{"a":1}}`, ada...); r.status != 200 || r.field("id") != first {
		t.Errorf("a repeat: %d %s", r.status, r.body)
	}
	if r := g.post(`{"type":"email","payload":{"a":1}}`, eve...); r.status != 201 || r.field("id") == first {
		t.Errorf("the key of another token: %d %s", r.status, r.body)
	}
}

func TestNarrowedTokenSubmitsWithinItsTypesAndQueues(t *testing.T) {
	g := newGuarded(t)
	operator, _ := access.RoleNamed("operator")
	_, mail := g.token("mail", operator.Scopes, []string{"email"}, []string{"mail"})
	for body, pointer := range map[string]string{
		`{"type":"report","queue":"mail","payload":{"rows":1}}`:  "/type",
		`{"type":"email","queue":"other","payload":{}}`:          "/queue",
		`{"type":"email","payload":{}}`:                          "/queue", // the default queue of the type
		`{"type":"unknown","queue":"mail","payload":{"rows":1}}`: "/type",
	} {
		r := g.post(body, mail...)
		g.refused(r, 403)
		if got := fmt.Sprint(r.pointers()); got != "["+pointer+"]" {
			t.Errorf("%s: pointers %s", body, got)
		}
	}
	bulk := `{"jobs":[{"type":"email","queue":"mail","payload":{}},{"type":"email","queue":"other","payload":{}}]}`
	r := g.do("POST", "/jobs/bulk", bulk, mail...)
	g.refused(r, 403)
	if got := fmt.Sprint(r.pointers()); got != "[/jobs/1/queue]" {
		t.Errorf("bulk: pointers %s", got)
	}
	if n := g.rows(); n != 0 {
		t.Errorf("%d jobs were stored", n)
	}
	g.job(`{"type":"email","queue":"mail","payload":{}}`, mail)
	_, reports := g.token("reports", operator.Scopes, nil, []string{"reports"})
	g.job(`{"type":"report","payload":{"rows":1}}`, reports) // its default queue
}

func TestNarrowedTokenSeesNothingBesideItsQueues(t *testing.T) {
	g := newGuarded(t)
	admin := g.role("admin")
	operator, _ := access.RoleNamed("operator")
	_, mail := g.token("mail", operator.Scopes, nil, []string{"mail"})
	_, two := g.token("two", operator.Scopes, nil, []string{"mail", "slow"})
	_, typed := g.token("typed", operator.Scopes, []string{"report"}, nil)
	ours := g.job(`{"type":"email","queue":"mail","payload":{}}`, admin)
	slow := g.job(`{"type":"email","queue":"slow","payload":{}}`, admin)
	theirs := g.job(`{"type":"email","queue":"secret-queue","payload":{}}`, admin)
	dead := func(queue string) string {
		id := g.job(`{"type":"email","queue":"`+queue+`","payload":{}}`, admin)
		g.settled(id, store.VerbFail, "it broke")
		return id
	}
	oursDead, theirsDead := dead("mail"), dead("secret-queue")

	for name, c := range map[string]struct {
		header      []string
		seen, other []string
	}{
		"mail":  {mail, []string{ours}, []string{slow, theirs, theirsDead, "secret-queue"}},
		"two":   {two, []string{ours, slow}, []string{theirs, theirsDead, "secret-queue"}},
		"typed": {typed, nil, []string{ours, slow, theirs, oursDead, theirsDead, "secret-queue"}},
	} {
		var all string
		for _, path := range []string{"/jobs", "/jobs?queue=secret-queue", "/jobs?type=email", "/dlq",
			"/dlq?queue=secret-queue", "/queues", "/queues?prefix=secret", "/job-types", "/metrics", "/workers"} {
			all += g.do("GET", path, "", c.header...).body
		}
		for _, id := range c.seen {
			if !strings.Contains(all, id) {
				t.Errorf("%s: does not see %s: %s", name, id, all)
			}
		}
		for _, other := range c.other {
			if strings.Contains(all, other) {
				t.Errorf("%s: sees %s: %s", name, other, all)
			}
		}
		for _, path := range []string{"/metrics", "/workers", "/workers/" + g.session} {
			if r := g.do("GET", path, "", c.header...); r.status != 403 {
				t.Errorf("%s: %s: %d", name, path, r.status)
			}
		}
	}
	for _, id := range []string{theirs, theirsDead} {
		job := "/jobs/" + id
		for _, route := range []string{"GET " + job, "POST " + job + "/cancel", "POST " + job + "/retry", "DELETE " + job} {
			method, path, _ := strings.Cut(route, " ")
			r := g.do(method, path, "", mail...)
			none := g.do(method, strings.Replace(path, id, "0192f000-0000-7000-8000-00000000ffff", 1), "", mail...)
			if r.status != 404 || r.body != none.body {
				t.Errorf("%s: %d %s", route, r.status, r.body)
			}
		}
	}
	if r := g.do("GET", "/queues", "", mail...); fmt.Sprint(r.field("total")) != "1" || !strings.Contains(r.body, `"name":"mail"`) {
		t.Errorf("queues: %d %s", r.status, r.body)
	}
	if r := g.do("POST", "/dlq/retry", `{"filter":{"queue":"secret-queue"}}`, mail...); fmt.Sprint(r.field("retried")) != "0" {
		t.Errorf("redrive of another queue: %s", r.body)
	}
	if r := g.do("POST", "/dlq/retry", `{"ids":["`+theirsDead+`","`+oursDead+`"]}`, mail...); fmt.Sprint(r.field("retried")) != "1" {
		t.Errorf("redrive: %s", r.body)
	}
	if j, _, err := g.store.Get(t.Context(), theirsDead); err != nil || j.Status != jobs.Failed {
		t.Errorf("the job of another queue: %s, %v", j.Status, err)
	}
}

func TestTokensAreMadeListedAndRevoked(t *testing.T) {
	g := newGuarded(t)
	admin := g.role("admin")
	r := g.do("POST", "/tokens", `{"name":"ci","role":"developer","queues":["mail"],"expires_in_seconds":3600}`, admin...)
	if r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	secret, token := r.field("secret").(string), r.field("token").(map[string]any)
	ci := []string{"Authorization", "Bearer " + secret}
	if got := g.do("GET", "/jobs", "", ci...).status; got != 200 {
		t.Errorf("the new token: %d", got)
	}
	list := g.do("GET", "/tokens", "", admin...)
	if list.status != 200 || strings.Contains(list.body, secret) || !strings.Contains(list.body, `"role":"developer"`) {
		t.Errorf("%d %s", list.status, list.body)
	}
	if r := g.do("DELETE", "/tokens/"+token["id"].(string), "", admin...); r.status != 204 {
		t.Errorf("revoke: %d %s", r.status, r.body)
	}
	if got := g.do("GET", "/jobs", "", ci...).status; got != 401 {
		t.Errorf("the revoked token: %d", got)
	}
	for _, bad := range []string{`{}`, `{"name":"x"}`, `{"name":"x","role":"root"}`, `{"name":"x","scopes":["fly"]}`,
		`{"name":"x","role":"viewer","scopes":["read"]}`, `{"name":"","role":"viewer"}`,
		`{"name":"x","role":"admin","types":["email"]}`,
		`{"name":"x","role":"viewer","expires_in_seconds":0}`, `{"name":"x","role":"viewer","secret":"y"}`} {
		g.refused(g.do("POST", "/tokens", bad, admin...), 422)
	}
	g.refused(g.do("DELETE", "/tokens/0192f000-0000-7000-8000-00000000ffff", "", admin...), 404)
}

func TestEachChangeLeavesAnAuditEntry(t *testing.T) {
	g := newGuarded(t)
	admin := g.role("admin")
	who, operator := g.token("ada", access.Roles[2].Scopes, nil, nil)
	operator = append(operator, "X-Request-Id", "r-17")
	dead := g.job(`{"type":"email","payload":{}}`, operator)
	g.settled(dead, store.VerbFail, "it broke")
	g.do("POST", "/jobs/"+dead+"/retry", "", operator...)
	g.do("POST", "/jobs/"+dead+"/retry", "", operator...) // refused: it is pending
	g.do("POST", "/jobs/"+dead+"/cancel", "", operator...)
	g.do("DELETE", "/jobs/"+dead, "", operator...)
	r := g.do("GET", "/audit?who=ada&limit=2", "", admin...)
	var page struct {
		Actions []httpapi.Action
		Next    *string `json:"next_cursor"`
	}
	var found []string
	for range 3 {
		if err := json.Unmarshal([]byte(r.body), &page); err != nil || r.status != http.StatusOK {
			t.Fatalf("%d %s", r.status, r.body)
		}
		for _, a := range page.Actions {
			if a.ActorID != who || a.Target != dead || a.Count != 1 || *a.RequestID != "r-17" || *a.Address != "192.0.2.1" {
				t.Errorf("%+v", a)
			}
			found = append(found, a.Action)
		}
		if page.Next == nil {
			break
		}
		r = g.do("GET", "/audit?who=ada&limit=2&cursor="+*page.Next, "", admin...)
	}
	if got := strings.Join(found, " "); got != "job.delete job.cancel job.retry" {
		t.Errorf("actions: %s", got)
	}
}

func TestWithoutAccessControlThereAreNoTokens(t *testing.T) {
	s := newSystem(t)
	s.refused(s.do("GET", "/tokens", ""), 404)
	s.refused(s.do("POST", "/tokens", `{"name":"x","role":"admin"}`), 404)
	s.refused(s.do("GET", "/audit", ""), 404)
	if r := s.do("GET", "/jobs", "", "Authorization", "Bearer nonsense"); r.status != 200 {
		t.Errorf("a token that nobody asked for: %d", r.status)
	}
}

func TestStoreDownIs503(t *testing.T) {
	g := newGuarded(t)
	viewer := g.role("viewer")
	if err := g.store.Close(); err != nil {
		t.Fatal(err)
	}
	g.refused(g.do("GET", "/jobs", "", viewer...), 503)
}
