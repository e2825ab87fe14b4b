#!/bin/sh
# Checks the house rules that no compiler knows: what may include what, a comment at the head of each source file,
# no two files of one name, and that each README names what is there. Run by "make lint". Needs nothing.
cd "$(dirname "$0")/.." || exit 1

# The folders that a file may include headers of. src/X and include/X have the rules of X.
layers='
base    base/
cni     base/ cni/
net     base/ cni/ net/
store   base/ store/
ipam    base/ cni/ ipam/ store/store.h
libpq   libpq/
status-cni.c       base/ cni/ net/
ipam-status-cni.c  base/ cni/ ipam/ store/store.h
'

includes() {
	grep -Hn '^#include' src/*.c src/*/*.c include/*/*.h | tr -d '<">' | sed 's/:#include */ /; s/:/ /'
}

# Lines "file line header" on stdin.
check_layers() {
	awk -v layers="$layers" '
	BEGIN {
		n = split(layers, line, "\n")
		for (i = 1; i <= n; i++) {
			k = split(line[i], word, " ")
			for (j = 2; j <= k; j++)
				allowed[word[1]] = allowed[word[1]] " " word[j]
			if (word[1] !~ /[.]/)
				ours[word[1]] = 1
		}
	}
	function may(header, list,   word, n, i) {
		n = split(list, word, " ")
		for (i = 1; i <= n; i++)
			if (index(header, word[i]) == 1)
				return 1
		return 0
	}
	{
		split($1, path, "/")
		split($3, header, "/")
		if (!(path[2] in allowed))
			print $1 ": " path[2] " has no rule"
		else if ((header[1] in ours) && !may($3, allowed[path[2]]))
			print $1 ":" $2 ": " path[2] " may include" allowed[path[2]] ", not " $3
		if ($3 == "libpq-fe.h" && path[2] != "libpq" && (path[2] != "store" || $1 == "include/store/store.h"))
			print $1 ":" $2 ": libpq is for src/store and src/libpq alone"
	}'
}

check_heads() {
	for file in src/*.c src/*/*.c include/*/*.h tests/*/*.c tests/unit/*/*.c tests/*/*.h; do
		[ "$(head -c 2 "$file")" = '/*' ] || echo "$file:1: begins without a comment that says what it is for"
	done
}

check_names() {
	for name in $(find src -name '*.c' -exec basename {} \; | sort | uniq -d; find include -name '*.h' -exec basename {} \; | sort | uniq -d); do
		echo "$name: more than one file has this name:" "$(find src include -name "$name" | sort | tr '\n' ' ')"
	done
}

# The files and folders that each README names are there. Where a README tells of its own folder, names begin there too.
check_readmes() {
	for readme in README.md */README.md */*/README.md; do
		here=$(dirname "$readme")
		{
			grep -oE '`(src|include|tests|sql|examples|demo-scenarios)/[A-Za-z0-9_./-]*' "$readme" | tr -d '`'
			grep -oE '(^|[^a-z/])(base|cni|net|ipam|store)/[a-z_0-9]+\.c\b' "$readme" | sed -E 's#^[^a-z]*#src/#'
		} | sort -u | while read -r name; do
			[ -e "$name" ] || [ -e "$here/$name" ] || echo "$readme: there is no $name"
		done
	done
}

found=$(includes | check_layers; check_heads; check_names; check_readmes)
[ -z "$found" ] || { printf '%s\n' "$found"; exit 1; }
