/* Which addresses an attachment asks for. Needs nothing. */
#include "unit.h"

#include <stdio.h>

#include "base/memory.h"
#include "cni/call.h"
#include "ipam/ipam.h"
#include "make_call.h"

#define RANGES "'ranges':[[{'subnet':'10.0.0.0/24'}],[{'subnet':'fd00::/64'}]]"

struct ask {
	const char *conf; /* the configuration without its braces */
	const char *args;
	const char *said; /* "address>gateway address>gateway", or the code and the message */
};

static void describe(const struct addresses *all, struct strbuf *out)
{
	char a[IP_TEXT], g[IP_TEXT];

	for (size_t i = 0; i < all->n; i++) {
		strbuf_addf(out, "%s%s", i ? " " : "", ip_text(&all->list[i].ip, true, a));
		if (all->list[i].gateway.family)
			strbuf_addf(out, ">%s", ip_text(&all->list[i].gateway, true, g));
	}
}

static void ask(const struct ask *t, enum cni_version version)
{
	struct made_call m;
	struct ipam_conf conf;
	struct addresses asked;
	struct strbuf said = { 0 };
	struct err e = { 0 };

	make_call(&m, "ADD", J(mem_printf("{%s}", t->conf)), "/bin");
	args_split(t->args, &m.call.args);
	m.call.version = version;
	if (ipam_conf_read(&m.call, &conf, &e) == 0 &&
	    request_read(&m.call, &conf, &asked, &e) == 0)
		describe(&asked, &said);
	else
		strbuf_addf(&said, "%d: %s", (int)e.code, e.msg);
	assert_string_equal(strbuf_str(&said), t->said);
	drop_call(&m);
}

static void ask_all(const struct ask *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ask(&t[i], CNI_NEWEST);
}

#define IPAM "'ipam':{}"
#define STATIC "'ipam':{'addresses':[{'address':'10.0.9.9/24'}]}"
#define CNI(ips) "'args':{'cni':{'ips':" ips "}}"
#define RUNTIME(ips) "'runtimeConfig':{'ips':" ips "}"
#define NOTE "io.kubernetes.cri.pod-annotations"
#define CAPABLE "'capabilities':{'" NOTE "':true},"
#define NOTED(value) "'runtimeConfig':{'" NOTE "':" value "}"

TEST(each_source)
{
	static const struct ask t[] = {
		{ IPAM, "", "" },
		{ IPAM "," RUNTIME("['10.0.0.5/24','fd00::5/64']"), "", "10.0.0.5/24 fd00::5/64" },
		{ IPAM "," CAPABLE NOTED("{'ipam-status-cni/ips':' 10.0.0.5/24 ,, fd00::5/64,'}"),
		  "", "10.0.0.5/24 fd00::5/64" },
		{ IPAM "," CNI("['10.0.0.5/24']"), "", "10.0.0.5/24" },
		{ IPAM, "IP=10.0.0.5/24", "10.0.0.5/24" },
		{ IPAM, "IP= 10.0.0.5/24 ,\tfd00::5/64 ", "10.0.0.5/24 fd00::5/64" },
		{ STATIC, "", "10.0.9.9/24" },
		{ "'ipam':{'addresses':[{'address':'10.0.9.9/"
		  "24','gateway':'10.0.9.1'},{'address':'fd00::9/64','gateway':''}]}",
		  "", "10.0.9.9/24>10.0.9.1 fd00::9/64" },
	};

	ask_all(t, COUNT(t));
}

#define ALL_OF(runtime, noted, cni)                                                                \
	STATIC "," CNI(cni) "," CAPABLE "'runtimeConfig':{'ips':" runtime ",'" NOTE                \
			    "':{'ipam-status-cni/ips':'" noted "'}}"

TEST(for_each_family_the_first_source_that_names_it_decides)
{
	static const struct ask t[] = {
		{ ALL_OF("['10.0.1.1/24']", "10.0.2.2/24", "['10.0.3.3/24']"),
		  "IP=10.0.4.4/24;GATEWAY=10.0.1.254", "10.0.1.1/24" },
		{ ALL_OF("[]", "10.0.2.2/24", "['10.0.3.3/24']"), "IP=10.0.4.4/24", "10.0.2.2/24" },
		{ ALL_OF("null", "", "['10.0.3.3/24']"), "IP=10.0.4.4/24", "10.0.3.3/24" },
		{ ALL_OF("[]", "", "[]"), "IP=10.0.4.4/24", "10.0.9.9/24 10.0.4.4/24" },
		{ ALL_OF("['fd00::1/64']", "10.0.2.2/24,fd00::2/64", "['10.0.3.3/24']"),
		  "IP=10.0.4.4/24", "fd00::1/64 10.0.2.2/24" },
		{ ALL_OF("['fd00::1/64']", "", "[]"), "IP=10.0.4.4/24",
		  "fd00::1/64 10.0.9.9/24 10.0.4.4/24" },
		/* nerdctl's --ip and --ip6; multus, which sends the same by both */
		{ IPAM "," RUNTIME("['fd00::1/64']"), "IP=10.0.4.4/24", "fd00::1/64 10.0.4.4/24" },
		{ IPAM "," RUNTIME("['10.0.4.4/24']"), "IP=10.0.4.4/24", "10.0.4.4/24" },
		/* args.cni.ips stands instead of CNI_ARGS for both families, the configuration
		   counts */
		{ IPAM "," CNI("['fd00::3/64']"), "IP=10.0.4.4/24;GATEWAY=nonsense", "fd00::3/64" },
		{ STATIC "," CNI("['fd00::3/64']"), "IP=10.0.4.4/24;GATEWAY=10.0.9.1",
		  "fd00::3/64 10.0.9.9/24" },
		/* GATEWAY is for CNI_ARGS and the configuration */
		{ IPAM "," RUNTIME("['10.0.1.1/24']"), "IP=fd00::4/64;GATEWAY=10.0.1.254,fd00::fe",
		  "10.0.1.1/24 fd00::4/64>fd00::fe" },
		{ STATIC, "IP=", "10.0.9.9/24" },
		/* the annotation counts only where its capability is declared */
		{ STATIC "," NOTED("{'ipam-status-cni/ips':'10.0.2.2/24'}"), "", "10.0.9.9/24" },
		{ STATIC ",'capabilities':{'" NOTE "':'true'}," NOTED("{'ipam-status-cni/ips':7}"),
		  "", "10.0.9.9/24" },
		{ STATIC "," CAPABLE NOTED("null"), "", "10.0.9.9/24" },
		{ STATIC "," CAPABLE NOTED("{'ipam-status-cni/ips':null}"), "", "10.0.9.9/24" },
		{ STATIC "," CAPABLE NOTED("{'ipam-status-cni/ips':' , '}"), "", "10.0.9.9/24" },
		/* what does not count need not be one that can be given out, but an address */
		{ IPAM "," RUNTIME("['10.0.1.1/24']"), "IP=127.0.0.1", "10.0.1.1/24" },
		{ IPAM "," RUNTIME("['10.0.1.1/24']"), "IP=nonsense",
		  "7: CNI_ARGS IP: \"nonsense\" is not an IP address with or without a prefix "
		  "length, such as 10.0.0.5/24" },
	};

	ask_all(t, COUNT(t));
}

TEST(arguments)
{
	static const struct ask t[] = {
		{ IPAM, "IP=1.1.1.1/24;IP=10.0.0.5/24", "10.0.0.5/24" }, /* the last wins */
		{ IPAM, "A=;IgnoreUnknown=1;;IP=10.0.0.5/24;B=c=d;", "10.0.0.5/24" },
		{ IPAM, "ip=10.0.0.5/24", "" },
		{ IPAM, "IP=10.0.0.5/24;nonsense", "4: ARGS: invalid pair \"nonsense\"" },
	};

	ask_all(t, COUNT(t));
}

TEST(gateways_from_the_arguments)
{
	static const struct ask t[] = {
		{ IPAM, "IP=10.0.0.5/24;GATEWAY=10.0.0.1", "10.0.0.5/24>10.0.0.1" },
		{ IPAM, "IP=10.0.0.5/24,fd00::5/64,10.0.1.5/24;GATEWAY= fd00::1 , 10.0.0.1",
		  "10.0.0.5/24>10.0.0.1 fd00::5/64>fd00::1 10.0.1.5/24" },
		{ STATIC, "GATEWAY=10.0.9.1", "10.0.9.9/24>10.0.9.1" },
		{ "'ipam':{'addresses':[{'address':'10.0.9.9/24','gateway':'10.0.9.1'}]}",
		  "GATEWAY=10.0.9.2", "10.0.9.9/24>10.0.9.2" },
		{ "'ipam':{" RANGES "}", "IP=10.0.0.5;GATEWAY=10.0.0.9", "10.0.0.5/24>10.0.0.9" },
		{ IPAM, "GATEWAY=10.0.0.1", "" },
		{ IPAM, "IP=10.0.0.5/24;GATEWAY=10.0.0.5",
		  "7: the gateway 10.0.0.5 of 10.0.0.5/24 is the address itself" },
		{ "'ipam':{'addresses':[{'address':'10.0.9.9/24','gateway':'127.0.0.1'}]}", "",
		  "7: the gateway 127.0.0.1 of 10.0.9.9/24 is a loopback address" },
		{ IPAM, "IP=10.0.0.5/24;GATEWAY=10.0.0.1/24",
		  "7: CNI_ARGS GATEWAY: \"10.0.0.1/24\" is not an IP address without a prefix "
		  "length" },
		{ IPAM, "IP=10.0.0.5/24;GATEWAY=x",
		  "7: CNI_ARGS GATEWAY: \"x\" is not an IP address without a prefix length" },
	};

	ask_all(t, COUNT(t));
}

TEST(equal_addresses_and_ranges)
{
	static const struct ask t[] = {
		{ STATIC, "IP=10.0.9.9/24", "10.0.9.9/24" },
		{ IPAM, "IP=fd00::5/64,fd00:0::0:5/64", "fd00::5/64" },
		{ STATIC, "IP=10.0.9.9/16",
		  "7: 10.0.9.9/24 and 10.0.9.9/16 are one address with two prefix lengths" },
		{ "'ipam':{'addresses':[{'address':'10.0.9.9/24'},{'address':'10.0.9.9/"
		  "24','gateway':'10.0.9.1'}]}",
		  "", "10.0.9.9/24>10.0.9.1" },
		{ "'ipam':{" RANGES "}", "IP=10.0.0.5,10.0.0.5/24,fd00::5",
		  "10.0.0.5/24>10.0.0.1 fd00::5/64>fd00::1" },
		{ "'ipam':{" RANGES "}", "IP=10.0.1.5/24",
		  "7: 10.0.1.5/24 is outside of all ipam.ranges" },
		{ "'ipam':{" RANGES "}", "IP=10.0.0.5/8",
		  "7: 10.0.0.5/8 has another prefix length than its range, which is in "
		  "10.0.0.0/24" },
		{ IPAM, "IP=10.0.0.5",
		  "7: 10.0.0.5 has no prefix length: write it as 10.0.0.5/24 or the like, or add a "
		  "range that holds it to ipam.ranges" },
	};

	ask_all(t, COUNT(t));
}

#define NOT_AN_IP "\" is not an IP address with or without a prefix length, such as 10.0.0.5/24"

TEST(what_is_no_request)
{
	static const struct ask t[] = {
		{ IPAM, "IP=x", "7: CNI_ARGS IP: \"x" NOT_AN_IP },
		{ IPAM, "IP=10.0.0.5/33", "7: CNI_ARGS IP: \"10.0.0.5/33" NOT_AN_IP },
		{ IPAM, "IP=fe80::1%eth0/64", "7: CNI_ARGS IP: \"fe80::1%eth0/64" NOT_AN_IP },
		{ IPAM "," RUNTIME("[' 10.0.0.5/24']"), "",
		  "7: runtimeConfig.ips: \" 10.0.0.5/24" NOT_AN_IP },
		{ IPAM "," RUNTIME("[7]"), "",
		  "7: \"runtimeConfig.ips\" must be a list of strings" },
		{ IPAM "," RUNTIME("'10.0.0.5/24'"), "",
		  "7: \"runtimeConfig.ips\" must be a list of strings" },
		{ IPAM ",'runtimeConfig':[]", "", "7: \"runtimeConfig\" must be an object" },
		{ IPAM ",'capabilities':[]", "", "7: \"capabilities\" must be an object" },
		{ IPAM "," CAPABLE NOTED("[]"), "", "7: " NOTE " is not an object" },
		{ IPAM "," CAPABLE NOTED("{'ipam-status-cni/ips':['10.0.0.5/24']}"), "",
		  "7: the pod annotation ipam-status-cni/ips is not a string" },
		{ IPAM "," CAPABLE NOTED("{'ipam-status-cni/ips':'x'}"), "",
		  "7: pod annotation ipam-status-cni/ips: \"x" NOT_AN_IP },
		{ IPAM ",'args':7", "", "7: \"args\" must be an object" },
		{ IPAM ",'args':{'cni':7}", "", "7: \"args.cni\" must be an object" },
		{ IPAM "," CNI("{}"), "", "7: \"args.cni.ips\" must be a list of strings" },
		{ IPAM "," CNI("[null]"), "", "7: \"args.cni.ips\" must be a list of strings" },
		{ "'ipam':{'addresses':{}}", "",
		  "7: \"ipam.addresses\" must be a list of objects" },
		{ "'ipam':{'addresses':['10.0.0.5/24']}", "",
		  "7: \"ipam.addresses\" must be a list of objects" },
		{ "'ipam':{'addresses':[{'gateway':'10.0.0.1'}]}", "",
		  "7: ipam.addresses: an item has no \"address\"" },
		{ "'ipam':{'addresses':[{'address':''}]}", "", "7: ipam.addresses: \"" NOT_AN_IP },
		{ "'ipam':{'addresses':[{'address':'10.0.0.5/24','gateway':7}]}", "",
		  "7: \"ipam.addresses[0].gateway\" must be a string" },
		{ "'ipam':{'addresses':[{'address':'10.0.0.5/24','gateway':'10.0.0.1/24'}]}", "",
		  "7: ipam.addresses: gateway \"10.0.0.1/24\" is not an IP address" },
	};

	ask_all(t, COUNT(t));
}

TEST(one_of_a_family_up_to_0_2_0)
{
	static const struct ask two = {
		IPAM, "IP=10.0.0.5/24,10.0.0.6/24",
		"7: CNI version 0.2.0 does not support more than 1 address per family"
	};
	static const struct ask both = { IPAM, "IP=10.0.0.5/24,fd00::5/64",
					 "10.0.0.5/24 fd00::5/64" };
	static const struct ask later = { IPAM, "IP=10.0.0.5/24,10.0.0.6/24",
					  "10.0.0.5/24 10.0.0.6/24" };
	static const struct ask sixes = {
		IPAM, "IP=fd00::5/64,fd00::6/64",
		"7: CNI version 0.1.0 does not support more than 1 address per family"
	};

	ask(&two, CNI_0_2_0);
	ask(&both, CNI_0_1_0);
	ask(&later, CNI_0_3_0);
	ask(&sixes, CNI_0_1_0);
}

TEST(many_addresses)
{
	struct strbuf args = { 0 }, said = { 0 };
	struct ask t = { .conf = IPAM };

	for (int i = 0; i < 300; i++) {
		strbuf_addf(&args, "%sfd00::%x/64", i ? "," : "IP=", i + 1);
		strbuf_addf(&said, "%sfd00::%x/64", i ? " " : "", i + 1);
	}
	t.args = strbuf_str(&args);
	t.said = strbuf_str(&said);
	ask(&t, CNI_NEWEST);
	for (int i = 0; i < 32768; i++)
		strbuf_addf(&args, ",::5/64");
	t.args = strbuf_str(&args);
	t.said = "7: more than 32767 addresses for one attachment";
	ask(&t, CNI_NEWEST);
}
