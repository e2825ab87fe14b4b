# Reads what one test program said, in TAP, and prints: passed, failed, skipped, what is wrong with it as
# a whole. status: how the program ended. One that died, printed no plan or fewer results than planned has
# failed, whatever else it said.

/^1\.\.[0-9]+/ {
	plans++
	planned += substr($1, 4)
	if ($1 == "1..0" && tolower($0) ~ /# *skip/)
		skipped++
}

/^(not )?ok([ \t]|$)/ {
	results++
	if (tolower($0) ~ /# *skip/)
		skipped++
	else if ($1 == "ok")
		passed++
	else
		failed++
}

END {
	if (status == 124 || status == 137)
		wrong = "ran out of time"
	else if (status != 0 && !failed)
		wrong = "ended with " status
	else if (!plans)
		wrong = "printed no plan"
	else if (!results && !skipped)
		wrong = "ran no test"
	else if (results > planned && !skipped)
		wrong = "printed more results than it planned"
	else if (status == 0 && failed)
		wrong = "had failures and ended with 0"
	if (wrong != "")
		failed++
	if (results < planned) {
		failed += planned - results
		wrong = (wrong == "" ? "" : wrong ", ") (planned - results) " results are missing"
	}
	print passed + 0, failed + 0, skipped + 0, wrong
}
