/*
 * Starts programs in turn, and says of each run how long it took, from before its start until it
 * has been reaped, and how much memory it had at most.
 *
 *   drive RUNS FIRST AT_ONCE <candidates
 *
 * A candidate is lines "name NAME", "path FILE", "base NUMBER", "stdin FILE", "exits STATUS" and
 * any number of "env NAME=VALUE". In these values %n stands for base + FIRST + run, and %a for the
 * address of that number in 10.0.0.0/8. Each run goes once through all candidates, in an order that
 * changes, AT_ONCE of them at a time. Every run is a line "NAME NANOSECONDS KILOBYTES", the last
 * line "total NANOSECONDS 0". An exit status that is not the candidate's (0) ends it.
 *
 * It has to stay small: what memory a process had before exec counts as the program's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CANDIDATES 64
#define VARIABLES 16
#define TEXT 512
#define AT_ONCE_MOST 64
#define SETTLE 3000000L /* nanoseconds: the server ends its process for the last one meanwhile */
#define SLOW 280        /* seconds for a whole drive's run: whatever hangs, hangs for good */

struct candidate {
	const char *name, *path, *input;
	long base;
	int exits;
	const char *env[VARIABLES];
	int n_env;
};

struct run {
	const struct candidate *of; /* NULL: none */
	pid_t pid;
	int64_t started;
	int output;
};

static struct candidate candidates[CANDIDATES];
static int n_candidates;

static void die(const char *what)
{
	fprintf(stderr, "drive: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static const char *copy(const char *text)
{
	const char *own = strdup(text);

	if (!own)
		die("memory");
	return own;
}

static void read_candidates(void)
{
	char line[TEXT], *value;

	while (fgets(line, sizeof(line), stdin)) {
		struct candidate *c = &candidates[n_candidates ? n_candidates - 1 : 0];

		line[strcspn(line, "\n")] = '\0';
		value = line + strcspn(line, " ");
		if (*value)
			*value++ = '\0';
		if (strcmp(line, "name") == 0 && n_candidates < CANDIDATES)
			candidates[n_candidates++].name = copy(value);
		else if (strcmp(line, "path") == 0)
			c->path = copy(value);
		else if (strcmp(line, "stdin") == 0)
			c->input = copy(value);
		else if (strcmp(line, "base") == 0)
			c->base = strtol(value, NULL, 10);
		else if (strcmp(line, "exits") == 0)
			c->exits = (int)strtol(value, NULL, 10);
		else if (strcmp(line, "env") == 0 && c->n_env < VARIABLES - 1)
			c->env[c->n_env++] = copy(value);
		else
			die(line);
	}
}

/* `from` with its %n and %a replaced. */
static void fill(char *to, size_t size, const char *from, long number)
{
	size_t len = 0;

	for (; *from && len + 1 < size; from++) {
		if (*from != '%') {
			to[len++] = *from;
			continue;
		}
		from++;
		if (*from == 'a')
			len += (size_t)snprintf(to + len, size - len, "10.%ld.%ld.%ld",
						number >> 16 & 255, number >> 8 & 255,
						number & 255);
		else
			len += (size_t)snprintf(to + len, size - len, "%ld", number);
	}
	to[len < size ? len : size - 1] = '\0';
}

static void write_file(int to, const char *path)
{
	char buf[65536];
	ssize_t n;
	int from = open(path, O_RDONLY | O_CLOEXEC);

	if (from < 0)
		die(path);
	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n && errno != EPIPE) /* VERSION does not read it */
			die("the input of a program");
	close(from);
}

/* As a runtime does it: stdin and stdout are pipes, and the configuration is written into the
 * first. */
static void start(struct run *r, const struct candidate *c, long number)
{
	char text[VARIABLES][TEXT], *env[VARIABLES] = { NULL };
	char *argv[] = { (char *)c->path, NULL };
	posix_spawn_file_actions_t actions;
	int in[2], out[2];

	for (int i = 0; i < c->n_env; i++) {
		fill(text[i], sizeof(text[i]), c->env[i], number);
		env[i] = text[i];
	}
	r->of = c;
	r->started = now();
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		die("pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	errno = posix_spawn(&r->pid, c->path, &actions, NULL, argv, env);
	if (errno)
		die(c->path);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	r->output = out[0];
	if (c->input)
		write_file(in[1], c->input);
	close(in[1]);
}

static struct run *find(struct run *runs, pid_t pid)
{
	while (runs->pid != pid || !runs->of)
		runs++;
	return runs;
}

static void say_failure(const struct run *r, int status)
{
	char words[2048];
	ssize_t n = read(r->output, words, sizeof(words));

	fprintf(stderr, "drive: %s: status %d: %.*s\n", r->of->name, status, n > 0 ? (int)n : 0,
		words);
	exit(1);
}

static void reap(struct run *runs)
{
	struct rusage used;
	int status;
	pid_t pid = wait4(-1, &status, 0, &used);
	int64_t ended = now();
	struct run *r;

	if (pid < 0)
		die("wait4");
	r = find(runs, pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != r->of->exits)
		say_failure(r, status);
	printf("%s %lld %ld\n", r->of->name, (long long)(ended - r->started), used.ru_maxrss);
	close(r->output);
	r->of = NULL;
}

static void settle(void)
{
	const struct timespec pause = { .tv_nsec = SETTLE };

	nanosleep(&pause, NULL);
}

/* The same order for the same number: a shuffle, so that nobody always comes behind the same other.
 */
static void shuffle(const struct candidate **order, int n)
{
	for (int i = n - 1; i > 0; i--) {
		int j = (int)(random() % (i + 1));
		const struct candidate *other = order[i];

		order[i] = order[j];
		order[j] = other;
	}
}

static void drive(long n, long first, int at_once)
{
	const struct candidate *order[CANDIDATES];
	struct run runs[AT_ONCE_MOST] = { 0 };
	int running = 0;

	for (int i = 0; i < n_candidates; i++)
		order[i] = &candidates[i];
	for (long i = 0; i < n; i++) {
		shuffle(order, n_candidates);
		for (int k = 0; k < n_candidates; k++) {
			struct run *r = runs;

			if (running == at_once) {
				reap(runs);
				running--;
			}
			if (at_once == 1)
				settle();
			while (r->of)
				r++;
			start(r, order[k], order[k]->base + first + i);
			running++;
		}
	}
	for (; running > 0; running--)
		reap(runs);
}

static void on_pipe(int signal)
{
	(void)signal;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
	long first = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	long at_once = argc > 3 ? strtol(argv[3], NULL, 10) : 1;
	int64_t begun;

	if (n < 1 || at_once < 1 || at_once > AT_ONCE_MOST) {
		fprintf(stderr, "usage: drive RUNS FIRST AT_ONCE <candidates\n");
		return 2;
	}
	alarm(SLOW);
	signal(SIGPIPE, on_pipe); /* not SIG_IGN: the programs would inherit that */
	srandom((unsigned)first);
	read_candidates();
	begun = now();
	drive(n, first, (int)at_once);
	printf("total %lld 0\n", (long long)(now() - begun));
	return 0;
}
