#!/bin/bash
# Prints the man page of a plugin. It has what the plugin's --help says and the tables of the README, so that there is
# one place for each sentence.
#
#   [EMULATOR=PROGRAM] .packaging/man.sh PLUGIN      "make install" and "make deb" call it

set -euo pipefail
shopt -s nullglob
cd "$(dirname "$(readlink -f "$0")")/.."

readonly program=$1
name=$(basename "$program")
help=$(${EMULATOR:-} "$program" --help)
version=$(${EMULATOR:-} "$program" --version | sed -n '1s/ (.*//p')

# Text for a terminal or Markdown, as roff: what stands between backticks is bold.
# shellcheck disable=SC2016 # those are Markdown's
roff() {
	sed -E 's/\\/\\e/g; s/-/\\-/g; s/`([^`]*)`/\\fB\1\\fR/g; s/\[([^]]*)\]\([^)]*\)/\1/g; s/^\./\\\&./'
}

# The part of --help that begins with the line $1 and ends with an empty line, without the two.
part() {
	awk -v first="$1" 'index($0, first) == 1 { on = 1; next } on && !NF { exit } on' <<<"$help"
}

# Lines "  WORD   what it is" as tagged paragraphs.
# shellcheck disable=SC2016
tagged() {
	sed -E 's/^ +([^ ]+) +(.*)/.TP\n`\1`\n\2/' | roff_but_macros
}

roff_but_macros() {
	local line
	while IFS= read -r line; do
		if [[ $line == .[A-Z]* ]]; then printf '%s\n' "$line"; else roff <<<"$line"; fi
	done
}

# The table of a README whose head begins with the columns $1, as tagged paragraphs. A third column says more.
table() {
	local rows
	rows=$(awk -F ' *[|] *' -v head="| $1 |" '
		index($0, head) == 1 { on = 1; third = $4; getline; next }
		on && !/^[|]/ { exit }
		on {
			if ($4 == "" || $4 == "nothing") more = ""
			else if (third == "what to do") more = ". " toupper(substr($4, 1, 1)) substr($4, 2)
			else more = "  (" third ": " $4 ")"
			print ".TP"; print $2; print $3 more
		}' README.md ./*/README.md)
	[[ $rows ]] || { echo "${0##*/}: no README has a table \"$1\"" >&2; exit 1; }
	roff_but_macros <<<"$rows"
}

net_plugin() {
	cat <<-END
	.SH CONFIGURATION
	\\fBipam\\fR is the IPAM plugin's object, \\fBipam.type\\fR its name; see \\fBipam\\-status\\-cni\\fR(8) for that one's keys.
	.PP
	\\fB"chained": true\\fR is for a configuration list in which another net plugin (bridge, macvlan, ptp) has used
	ipam\\-status\\-cni already: ADD, DEL and CHECK then leave the addresses alone, STATUS and GC are passed on.
	END
}

ipam_plugin() {
	echo '.SH CONFIGURATION'
	printf 'Keys of the object \\fBipam\\fR:\n'
	table 'key | meaning'
	echo '.SH ADDRESSES'
	echo 'An attachment asks for addresses in one of these ways:'
	table 'source | to paste'
}

printf '.TH %s 8 "" "%s"\n.ad l\n.SH NAME\n' "${name^^}" "$version"
sed -nE '1s/^([^:]*): (.*)/\1 - \2/p' <<<"$help" | sed 's/^\([^ ]*\) - /\1 \\- /'
printf '.SH SYNOPSIS\nCNI_COMMAND=... CNI_PATH=... \\fB%s\\fR <network.conf\n' "${name//-/\\-}"
echo '.SH DESCRIPTION'
sed -n '3s/ It takes.*//p' <<<"$help"
awk '/^stdin:/ { on = 1 } on && !NF { exit } on' <<<"$help" | roff
echo '.SH OPTIONS'
part 'A CNI plugin:' | tagged
echo '.SH ENVIRONMENT'
part 'Environment:' | tagged
if [[ $name == ipam-* ]]; then ipam_plugin; else net_plugin; fi
echo '.SH ERRORS'
echo 'An error object on stdout has one of these codes:'
table 'code | meaning'
echo '.SH EXAMPLES'
echo '.EX'
part 'Example:' | roff
echo '.EE'
echo '.SH SEE ALSO'
if [[ $name == ipam-* ]]; then echo '.BR status\-cni (8),'; else echo '.BR ipam\-status\-cni (8),'; fi
echo '/usr/share/doc/ipam\-status\-cni/README.md.gz, https://www.cni.dev/docs/spec/'
