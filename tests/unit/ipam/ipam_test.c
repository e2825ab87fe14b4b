/* What every verb of the IPAM plugin does first, and its configuration. Needs nothing. */
#include "run_verb.h"

#include "base/memory.h"

/* Seconds from the start of the call to its deadline. */
static double whole_time(const struct verb *v)
{
	return (double)(v->m.deadline.end - v->m.call.started) / 1e9;
}

/* Opens and closes, as a verb. What it has seen of the host goes into the answer. */
static int open_and_close(const struct cni_call *call, struct cni_reply *out, struct err *e)
{
	struct ipam i;
	struct attachment a;

	if (ipam_open(call, &i, e) < 0)
		return -1;
	a = i.by;
	out->json = mem_printf("%s %s %s %s %s %s", a.network, a.node->name, a.node->host_id, a.pod,
			       a.interface, a.node->boot_id);
	ipam_close(&i);
	return 0;
}

TEST(a_call_is_opened)
{
	struct verb v = { 0 };

	verb_run(&v, open_and_close, "ADD", "", "'logLevel':'warning'", "");
	assert_int_equal(v.rc, 0);
	assert_string_equal(v.reply.json, "net node-1  pod-a eth0 " VERB_BOOT);
	assert_string_equal(strbuf_str(&v.fake.calls), "open close");
	assert_int_equal(v.m.log.level, LOG_WARNING);
	assert_string_equal(v.log, ""); /* INVOKED is at info */
	verb_end(&v);
}

/* The deadline keeps time for cancelling and releasing before whoever waits gives up. */
TEST(a_little_of_the_time_is_kept)
{
	static const struct {
		const char *ipam;
		double least, most;
	} t[] = {
		{ "", 9.49, 9.51 }, /* the standard time, 10 s */
		{ "'timeout':60", 59.49, 59.51 },
		{ "'timeout':2", 1.74, 1.76 },
		{ "'timeout':0.1", 0.086, 0.089 },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { 0 };

		verb_run(&v, open_and_close, "ADD", "", t[i].ipam, "");
		assert_int_equal(v.rc, 0);
		assert_true(whole_time(&v) > t[i].least && whole_time(&v) < t[i].most);
		verb_end(&v);
	}
}

TEST(del_goes_on_with_the_time_of_the_verb)
{
	struct verb v = { 0 };

	verb_run(&v, open_and_close, "DEL", "", "'timeout':'x','gcGracePeriod':-1", "");
	assert_int_equal(v.rc, 0);
	assert_int_equal(v.e.code, 0);
	assert_true(whole_time(&v) > 9.49 && whole_time(&v) < 9.51);
	verb_end(&v);
}

/* PostgreSQL keeps 63 bytes of an application_name, and printable ASCII of it. */
TEST(a_trace_names_the_connection)
{
#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
	static const struct {
		const char *command, *trace, *container, *name;
	} t[] = {
		{ "ADD", "", "pod1", "ipam-status-cni" },
		{ "ADD", TRACE, "pod1", "ADD " TRACE " pod1" },
		{ "DEL", TRACE, "12345678901234567890123456",
		  "DEL " TRACE " 12345678901234567890123456" },
		{ "CHECK", TRACE, "12345678901234567890123456",
		  "CHECK " TRACE " 123456789012345678901234" },
		{ "STATUS", TRACE, "", "STATUS " TRACE },
		/* Verbs without an attachment do not check the container. */
		{ "GC", TRACE, "a\nb", "GC " TRACE " a" },
		{ "GC", TRACE, "a\u00fc", "GC " TRACE " a" },
		{ "STATUS", TRACE, "a\x7f", "STATUS " TRACE " a" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { 0 };

		verb_run(&v, open_and_close, t[i].command, "", "", "");
		v.m.call.trace = t[i].trace;
		v.m.call.container = t[i].container;
		verb_run_again(&v, open_and_close);
		assert_int_equal(v.rc, 0);
		assert_string_equal(v.fake.application_name, t[i].name);
		verb_end(&v);
	}
#undef TRACE
}

TEST(what_stops_it_leaves_nothing_open)
{
	static const struct {
		const char *ipam, *fails, *calls;
		int code;
	} t[] = {
		{ "'hots':1", NULL, "", CNI_UNSUPPORTED_FIELD },
		{ "'timeout':'x'", NULL, "", CNI_INVALID_NETWORK_CONFIG },
		{ "'host':'a','user':'b'", "open", "open", CNI_TRY_AGAIN_LATER },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { .fake.fails = t[i].fails };

		verb_run(&v, open_and_close, "ADD", "", t[i].ipam, "");
		assert_int_equal(v.rc, -1);
		assert_int_equal(v.e.code, t[i].code);
		assert_string_equal(strbuf_str(&v.fake.calls), t[i].calls);
		verb_end(&v);
	}
}

TEST(a_host_that_nobody_knows)
{
	struct verb v = { 0 };
	cJSON *ipam;

	verb_run(&v, open_and_close, "ADD", "", "", "");
	ipam = cJSON_GetObjectItemCaseSensitive(v.m.conf, "ipam");
	cJSON_DeleteItemFromObjectCaseSensitive(ipam, "node");
	verb_run_again(&v, open_and_close);
	assert_int_equal(v.rc, -1);
	assert_int_equal(v.e.code, CNI_INVALID_NETWORK_CONFIG);
	assert_string_equal(strbuf_str(&v.fake.calls), "open close"); /* of the first time */
	verb_end(&v);
}

/* ---- the ipam object ---- */

struct read {
	struct made_call m;
	struct ipam_conf conf;
	struct err e;
	int rc;
};

/* Reads a configuration whose ipam object has these keys. read_end when done. */
static void read_begin(struct read *r, const char *command, const char *keys)
{
	*r = (struct read){ 0 };
	make_call(&r->m, command, J(mem_printf("{'ipam':{%s}}", keys)), "/bin");
	r->rc = ipam_conf_read(&r->m.call, &r->conf, &r->e);
}

static void read_end(struct read *r)
{
	drop_call(&r->m);
}

TEST(nothing_but_an_object)
{
	struct read r;

	read_begin(&r, "ADD", "");
	assert_int_equal(r.rc, 0);
	assert_null(r.conf.node);
	assert_null(r.conf.log_file);
	assert_int_equal(r.conf.log_level, LOG_INFO);
	assert_true(r.conf.timeout == 0 && r.conf.gc_grace == 0);
	assert_int_equal(r.conf.ranges.n, 0);
	read_end(&r);
}

TEST(everything)
{
	struct read r;

	read_begin(&r, "ADD",
		   "'type':'ipam-status-cni','host':'db1,db2','port':5432,'user':'u',"
		   "'password':'p','keepalives':0,"
		   "'addresses':[{'address':'10.0.0.5/24','gateway':'10.0.0.1'}],"
		   "'routes':[{'dst':'0.0.0.0/0','gw':'10.0.0.1','mtu':1400,'advmss':1,"
		   "'priority':1,'table':1,'scope':0}],"
		   "'dns':{'nameservers':['10.0.0.2'],'domain':'d','search':['s'],"
		   "'options':['o']},"
		   "'ranges':[[{'subnet':'10.0.0.0/24','rangeStart':'10.0.0.2',"
		   "'rangeEnd':'10.0.0.9','gateway':'10.0.0.1'}]],"
		   "'node':'n','gcGracePeriod':1.5,'timeout':0.25,'logLevel':'debug',"
		   "'logFile':'/f'");
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.conf.ranges.n, 1);
	assert_int_equal(cJSON_GetArraySize(r.conf.addresses), 1);
	assert_string_equal(r.conf.node, "n");
	assert_string_equal(r.conf.log_file, "/f");
	assert_int_equal(r.conf.log_level, LOG_DEBUG);
	assert_true(r.conf.timeout == 0.25 && r.conf.gc_grace == 1.5);
	read_end(&r);
}

static const char *const verbs[] = { "ADD", "CHECK", "STATUS", "GC", "DEL" };

TEST(an_unknown_key_is_named_with_its_value)
{
	static const struct {
		const char *keys, *msg;
	} t[] = {
		{ "'hots':'db'", "unsupported field \"hots\" in ipam (a string)" },
		{ "'Host':'db'", "unsupported field \"Host\" in ipam (a string)" },
		{ "'Password':'hush'", "unsupported field \"Password\" in ipam (a string)" },
		{ "'x':{'password':'hush'}", "unsupported field \"x\" in ipam (an object)" },
		{ "'addresses':[{'address':'10.0.0.5/24','gw':'10.0.0.1'}]",
		  "unsupported field \"gw\" in ipam.addresses[0] (a string)" },
		{ "'ranges':[[{'subnet':'10.0.0.0/24','start':7}]]",
		  "unsupported field \"start\" in ipam.ranges[0][0] (a number)" },
		{ "'routes':[{'dst':'0.0.0.0/0','metric':1}]",
		  "unsupported field \"metric\" in ipam.routes[0] (a number)" },
		{ "'dns':{'servers':[]}", "unsupported field \"servers\" in ipam.dns (a list)" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		for (size_t v = 0; v < COUNT(verbs); v++) {
			struct read r;

			read_begin(&r, verbs[v], t[i].keys);
			if (strcmp(verbs[v], "DEL") == 0) {
				assert_int_equal(r.rc, 0);
			} else {
				assert_int_equal(r.rc, -1);
				assert_int_equal(r.e.code, CNI_UNSUPPORTED_FIELD);
				assert_string_equal(r.e.msg, t[i].msg);
			}
			read_end(&r);
		}
	}
}

#define TIMEOUT "ipam.timeout must be a number of seconds, above 0 and up to 3600"
#define GRACE "ipam.gcGracePeriod must be a number of seconds, 0 or more and up to 1000000000"
#define LEVEL "ipam.logLevel must be error, warning, info or debug, not \"loud\""

/* DEL goes on without what it does not need. */
static void is_default(const struct ipam_conf *c)
{
	assert_null(c->log_file);
	assert_int_equal(c->log_level, LOG_INFO);
	assert_true(c->timeout == 0 && c->gc_grace == 0);
}

TEST(wrong_values)
{
	static const struct {
		const char *keys, *msg;
	} t[] = {
		{ "'node':''", "ipam.node must not be empty" },
		{ "'node':7", "\"ipam.node\" must be a string" },
		{ "'logFile':{}", "\"ipam.logFile\" must be a string" },
		{ "'logFile':''", "ipam.logFile must not be empty" },
		{ "'logLevel':7", "\"ipam.logLevel\" must be a string" },
		{ "'logLevel':''", "ipam.logLevel must not be empty" },
		{ "'logLevel':'loud'", LEVEL },
		{ "'timeout':0", TIMEOUT },
		{ "'timeout':-1", TIMEOUT },
		{ "'timeout':3600.1", TIMEOUT },
		{ "'timeout':'10'", "\"ipam.timeout\" must be a number" },
		{ "'gcGracePeriod':-0.1", GRACE },
		{ "'gcGracePeriod':1e400", GRACE },
		{ "'gcGracePeriod':true", "\"ipam.gcGracePeriod\" must be a number" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		for (size_t v = 0; v < COUNT(verbs); v++) {
			struct read r;

			read_begin(&r, verbs[v], t[i].keys);
			if (strcmp(verbs[v], "DEL") == 0 && !strstr(t[i].keys, "node")) {
				assert_int_equal(r.rc, 0);
				assert_int_equal(r.e.code, 0);
				is_default(&r.conf);
			} else {
				assert_int_equal(r.rc, -1);
				assert_err(&r.e, CNI_INVALID_NETWORK_CONFIG, t[i].msg, "");
			}
			read_end(&r);
		}
	}
}

TEST(a_node_of_255_bytes)
{
	struct read r;

	read_begin(&r, "DEL", mem_printf("'node':'%0255d'", 0));
	assert_int_equal(r.rc, 0);
	read_end(&r);
	read_begin(&r, "DEL", mem_printf("'node':'%0256d'", 0));
	assert_err(&r.e, CNI_INVALID_NETWORK_CONFIG, "ipam.node must not be longer than 255 bytes",
		   "");
	read_end(&r);
}

TEST(what_only_an_answer_needs_does_not_stop_a_release)
{
	static const char *const keys[] = { "'ranges':7", "'routes':7", "'dns':7",
					    "'routes':[{'dst':'x'}]", "'dns':{'search':7}" };

	for (size_t i = 0; i < COUNT(keys); i++) {
		for (size_t v = 0; v < COUNT(verbs); v++) {
			bool needs = strcmp(verbs[v], "DEL") != 0 && strcmp(verbs[v], "GC") != 0;
			struct read r;

			read_begin(&r, verbs[v], keys[i]);
			assert_int_equal(r.rc, needs ? -1 : 0);
			assert_int_equal(r.e.code, needs ? CNI_INVALID_NETWORK_CONFIG : 0);
			read_end(&r);
		}
	}
}

TEST(no_ipam_object)
{
	static const char *const confs[] = { "{}", "{'ipam':null}", "{'ipam':[]}", "{'ipam':'x'}" };

	for (size_t i = 0; i < COUNT(confs); i++) {
		struct made_call m;
		struct ipam_conf conf;
		struct err e = { 0 };

		make_call(&m, "DEL", J(confs[i]), "/bin");
		assert_int_equal(ipam_conf_read(&m.call, &conf, &e), -1);
		assert_err(&e, CNI_INVALID_NETWORK_CONFIG,
			   "the configuration needs an \"ipam\" object", "");
		drop_call(&m);
	}
}

TEST(any_number_of_keys_in_bounded_time)
{
	struct strbuf keys = { 0 };
	struct deadline d = deadline_in(20);
	struct read r;

	for (int i = 0; i < 20000; i++)
		strbuf_addf(&keys, "%s'user':'%d','k%d':1", i ? "," : "", i, i);
	read_begin(&r, "DEL", strbuf_str(&keys));
	assert_int_equal(r.rc, 0);
	assert_true(deadline_left(&d) > 0);
	read_end(&r);
}

/* Is this a key of the table or of libpq? Counts those of the table. */
static bool is_key(const char *name, size_t *n)
{
	for (const struct json_key *key = ipam_keys; key->name; key++) {
		if (strcmp(key->name, name) == 0) {
			*n += strcmp(name, "type") != 0;
			return true;
		}
	}
	return store_keyword(name);
}

/* The first column of README's table, whose first row begins with `host`, names each key once. */
TEST(readme_has_the_same_keys)
{
	FILE *f = fopen("README.md", "r"); /* the tests run in the top folder */
	char line[4096];
	bool in_table = false;
	size_t named = 0, n_keys = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char *rest = line + 2, *word;

		in_table = strncmp(line, "| `host`", 8) == 0 || (in_table && line[0] == '|');
		if (!in_table)
			continue;
		rest[strcspn(rest, "|")] = '\0';
		strsep(&rest, "`");
		for (; rest && (word = strsep(&rest, "`")); strsep(&rest, "`"))
			if (!is_key(word, &named))
				fail_msg("README.md names \"%s\", which is no key", word);
	}
	fclose(f);
	for (const struct json_key *key = ipam_keys; key->name; key++)
		n_keys += strcmp(key->name, "type") != 0; /* the caller's, not ours */
	assert_int_equal(named, n_keys);
}
