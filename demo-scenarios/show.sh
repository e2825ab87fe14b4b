#!/usr/bin/env bash
# Shows who holds which address, from the views that sql/migrate.sh makes.
#
#   demo-scenarios/show.sh [--counts | --map SUBNET] [--network NET] [--node NODE] [--watch] [CONNINFO]
#
#   (nothing)       a line for each address, by network and node
#   --counts        how many addresses each node holds in each network
#   --map SUBNET    the subnet as a grid, for each network that holds something there: a cell is an address, or a block of
#                   addresses, where there are more than 1024
#   --network NET   only this network
#   --node NODE     only this node; in a map, the one that is "here" instead of this host
#   --watch         again every two seconds, until it is ended
#
# It reads the private PostgreSQL, or what CONNINFO (libpq's) names: a member of the role ipam_reader may. There are
# colours where the terminal has them and NO_COLOR is not set, and shades where the locale is UTF-8.
locale=${LC_ALL:-${LC_CTYPE:-${LANG:-}}}
# shellcheck source=demo-scenarios/lib.sh
source "$(dirname "$0")/lib.sh"

readonly USAGE='[--counts | --map SUBNET] [--network NET] [--node NODE] [--watch] [CONNINFO]'
readonly SUBNET='^([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|[0-9a-fA-F.]*:[0-9a-fA-F.:]*)/[0-9]+$'
readonly CELLS=10   # a map has at most two to the power of that

# sql [PSQL'S ARGUMENTS]: runs stdin. What psql says of an error is said in our words where we know better.
sql() {
	local said status=0
	{ said=$("${database[@]}" -q -P pager=off -v ON_ERROR_STOP=1 -v network="$network" -v node="$node" -v subnet="$subnet" \
		-c 'SET search_path = pg_catalog' "$@" -f - 2>&1 >&3) || status=$?; } 3>&1
	case $said in
	*'bits set to right of mask'*) die "$subnet has bits behind its prefix length: name the subnet itself" ;;
	*'for type cidr'* | *'cidr value'*) die "$subnet is not a subnet" ;;
	*'permission denied for view'*) die "${said##*: }: a member of the role ipam_reader may read the allocations" ;;
	*'relation "public.ips_'*) die "the database has no view of the allocations: run $TOP/sql/migrate.sh" ;;
	esac
	[[ -z $said ]] || printf '%s\n' "$said" >&2
	((status == 0)) || exit 1
}

list() {
	sql <<-'SQL'
		SELECT concat_ws('/', pod_namespace, pod_name) AS pod, container, interface,
		       host(address) || '/' || prefix_length AS address, network, node,
		       date_trunc('second', held_since) AS held_since,
		       CASE WHEN earlier_boot THEN 'yes' ELSE '' END AS "earlier boot"
		  FROM public.ips_allocations AS a
		 WHERE :'network' IN ('', network) AND :'node' IN ('', node)
		 ORDER BY network, node, a.address;
	SQL
}

counts() {
	sql <<-'SQL'
		SELECT network, node, allocations, of_earlier_boots AS "of earlier boots",
		       date_trunc('second', oldest) AS "oldest since", date_trunc('second', youngest) AS "youngest since"
		  FROM public.ips_counts
		 WHERE :'network' IN ('', network) AND :'node' IN ('', node)
		 ORDER BY network, node;
	SQL
}

# What a map shows, a line for each cell: network, address, addresses in a cell, held here, elsewhere, of earlier boots.
# Cells are counted from one to the next, since addresses of IPv6 have more bits than numbers here.
cells() {
	sql -At -F $'\t' -v cells="$CELLS" -v here="$here" -v host_id="$host_id" <<-'SQL'
		SELECT masklen(s) AS bits, least(masklen(s) + :cells, masklen(host(s)::inet)) AS cell,
		       masklen(host(s)::inet) AS all_bits
		  FROM (SELECT :'subnet'::cidr::inet AS s) AS s \gset
		WITH RECURSIVE cells (n, cell) AS (
			SELECT 0, set_masklen(:'subnet'::inet, :cell)
			UNION ALL
			SELECT n + 1, set_masklen(broadcast(cell) + 1, :cell) FROM cells WHERE n + 1 < 2 ^ (:cell - :bits)
		), held AS (
			SELECT network, network(set_masklen(address, :cell))::inet AS cell,
			       count(*) FILTER (WHERE NOT earlier_boot AND here) AS here,
			       count(*) FILTER (WHERE NOT earlier_boot AND NOT here) AS elsewhere,
			       count(*) FILTER (WHERE earlier_boot) AS earlier
			  FROM (SELECT *, node = :'here' AND (:'host_id' = '' OR host_id IN ('', :'host_id')) AS here
			          FROM public.ips_allocations) AS a
			 WHERE address <<= :'subnet'::inet AND :'network' IN ('', network)
			 GROUP BY 1, 2
		), maps AS (
			SELECT DISTINCT network FROM held UNION ALL SELECT :'network' WHERE NOT EXISTS (SELECT FROM held)
		)
		SELECT m.network, host(c.cell), 2 ^ (:all_bits - :cell), coalesce(here, 0), coalesce(elsewhere, 0), coalesce(earlier, 0)
		  FROM maps AS m CROSS JOIN cells AS c LEFT JOIN held AS h ON h.network = m.network AND h.cell = c.cell
		 ORDER BY m.network, c.n;
	SQL
}

# Draws the maps. A block has the colour of those who hold most of it.
map() {
	local here=${node:-$(uname -n)} host_id=''
	[[ $node || ! -r /etc/machine-id ]] || host_id=$(</etc/machine-id)
	cells | awk -F '\t' -v subnet="$subnet" -v here="$here" -v colours="$colours" -v shades="$shades" '
	BEGIN {
		split(shades, shade, " ")
		split(". # o x", sign, " ")
		split("free,held here,held elsewhere,left by an earlier boot", meaning, ",")
		meaning[2] = meaning[2] " (" here ")"
		split("0 32 33 31", colour, " ")
	}
	function paint(text, kind) {
		return colours && kind > 1 ? "\033[" colour[kind] "m" text "\033[0m" : text
	}
	function amount(n) {
		return n < 2 ^ 31 ? sprintf("%d", n) : sprintf("2^%d", log(n) / log(2) + 0.5)
	}
	# 1 none, 2 up to a third, 3 up to two thirds, 4 more, 5 all
	function fullness(held) {
		return held == 0 ? 1 : held >= size ? 5 : held <= size / 3 ? 2 : held <= size * 2 / 3 ? 3 : 4
	}
	function cell(mine, others, left,   kind) {
		kind = mine + others + left == 0 ? 1 : mine >= others && mine >= left ? 2 : others >= left ? 3 : 4
		return paint(size == 1 ? sign[kind] : shade[fullness(mine + others + left)], kind)
	}
	function draw(   i, line) {
		printf "%s%s: %d of %s addresses are held: %d here, %d elsewhere, %d left by an earlier boot\n\n",
		       network == "" ? "" : "network " network ", ", subnet, total[4] + total[5] + total[6], amount(n * size),
		       total[4], total[5], total[6]
		for (i = 1; i <= rows; i++)
			printf "  %-" width "s %s\n", label[i], row[i]
		print ""
	}
	function begin() {
		network = $1
		size = $3
		n = rows = width = 0
		total[4] = total[5] = total[6] = 0
	}
	NR > 1 && $1 != network { draw() }
	NR == 1 || $1 != network { begin() }
	{
		if (n % 32 == 0) {
			label[++rows] = $2
			row[rows] = ""
			if (length($2) > width)
				width = length($2)
		}
		row[rows] = row[rows] (n % 8 ? "" : " ") cell($4, $5, $6)
		n++
		for (i = 4; i <= 6; i++)
			total[i] += $i
	}
	END {
		if (NR == 0)
			exit 1
		draw()
		if (size == 1) {
			for (i = 1; i <= 4; i++)
				printf "  %s %s", paint(sign[i], i), meaning[i]
			print ""
		} else {
			printf "  A cell is a block of %s addresses, of which are held:  %s none  %s up to a third  %s up to two thirds" \
			       "  %s more  %s all\n", amount(size), shade[1], shade[2], shade[3], shade[4], shade[5]
			if (colours)
				printf "  Most of them: %s, %s, %s\n", paint(meaning[2], 2), paint(meaning[3], 3), paint(meaning[4], 4)
		}
	}'
}

# The first look decides whether there is anything to watch; later ones say what is wrong, and go on.
watch() {
	local seen
	seen=$("$1") || exit 1
	while true; do
		[[ ! -t 1 ]] || tput clear 2>/dev/null || true
		printf '%(%F %T)T, every two seconds\n\n%s\n' -1 "$seen"
		sleep 2
		seen=$("$1" 2>&1) || true
	done
}

modes=() network='' node='' subnet='' again='' conninfo=()
while (($# > 0)); do
	case $1 in
	-h | --help) printf 'usage: %s %s\n' "${0##*/}" "$USAGE"; exit 0 ;;
	--network | --node | --map)
		[[ ${2:-} && $2 != *=* && $2 != *://* ]] || wrong_usage "$USAGE"
		case $1 in
		--network) network=$2 ;;
		--node) node=$2 ;;
		--map) modes+=(map) subnet=$2 ;;
		esac
		shift
		;;
	--counts) modes+=(counts) ;;
	--watch) again=yes ;;
	*=* | *://*) conninfo+=("$1") ;;
	*) wrong_usage "$USAGE" ;;
	esac
	shift
done
((${#conninfo[@]} <= 1 && ${#modes[@]} <= 1)) || wrong_usage "$USAGE"
[[ -z $subnet || $subnet =~ $SUBNET ]] ||
	{ printf '%s: "%s" is not a subnet such as 10.1.0.0/16 or fd00::/64\n' "${0##*/}" "$subnet" >&2; exit 2; }
database=("$TOP/demo-scenarios/db.sh" psql)
((${#conninfo[@]} == 0)) || { needs psql; database=(env PGCONNECT_TIMEOUT=10 psql -Xw "${conninfo[0]}"); }

shades='. : + % #'
case ${locale^^} in *UTF-8* | *UTF8*) shades='· ░ ▒ ▓ █' ;; esac
colours=''
[[ ! -t 1 || -n ${NO_COLOR:-} ]] || (($(tput colors 2>/dev/null || echo 0) < 8)) || colours=yes

${again:+watch} "${modes[0]:-list}"
