#!/usr/bin/env bats
# SPDX-License-Identifier: MPL-2.0
# The manual is made, says what the table says, and names no option that there is not.
load support

pages=$(dirname "$grove")/man

setup_file() {
    enter
    "$grove" help -o json >"$scratch/table"
}

@test "the pages are without a mistake" {
    for page in "$pages"/*; do
        run -0 --separate-stderr man --warnings -E UTF-8 -l "$page"
        [ "$stderr" = "" ]
        says "NAME"
    done
}

@test "every command, word and option of the table is in grove(1), and no other option" {
    run -0 /usr/bin/python3 - "$scratch/table" "$pages/grove.1" <<'PYTHON'
import json, re, sys
table = json.load(open(sys.argv[1]))
page = re.sub(r"\\f.", "", open(sys.argv[2]).read()).replace("\\-", "-").replace("\\&", "")
sections = dict(re.findall(r'^\.SS "?grove ([a-z]+)"?\n(.*?)(?=^\.S[SH] )', page, re.M | re.S))
assert list(sections) == [command["name"] for command in table["commands"]], list(sections)
everyone = re.search(r'^\.SS "?Every command"?\n(.*?)(?=^\.SH )', page, re.M | re.S).group(1)

def heads(options):
    return {(f"-{o['letter']}, " if o["letter"] else "") + f"--{o['name']}"
            + (f" {o['value']}" if o["value"] else "") for o in options}

def has(section, line):
    return re.search(rf"^{re.escape(line)} ?$", section, re.M)

for command in table["commands"]:
    section = sections[command["name"]]
    assert command["summary"] in section, command["name"]
    for head in heads(command["options"]):
        assert has(section, head), (command["name"], head)
    for verb in command["verbs"]:
        assert has(section, f"{verb['name']} {verb['usage']}".strip()), (command["name"], verb)
for head in heads(table["options"]):
    assert has(everyone, head), head
known = {o["name"] for c in table["commands"] for o in c["options"]} | {o["name"] for o in table["options"]}
named = set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", page))
assert named == known, named ^ known
PYTHON
}

@test "every section and key of the configuration is in grove.conf(5)" {
    run -0 /usr/bin/python3 - "$scratch/table" "$pages/grove.conf.5" <<'PYTHON'
import json, re, sys
table = json.load(open(sys.argv[1]))
page = re.sub(r"\\f.", "", open(sys.argv[2]).read()).replace("\\-", "-").replace("\\&", "")
options = {command["name"]: command["options"] for command in table["commands"]}
options["client"] = [o for o in table["options"] if o["name"] not in ("help", "config")]
sections = dict(re.findall(r'^\.SS "?\[([a-z]+)\]"?\n(.*?)(?=^\.S[SH] )', page, re.M | re.S))
wanted = {"client"} | {command["name"] for command in table["commands"] if command["configured"]}
assert set(sections) == wanted, set(sections) ^ wanted
for name, section in sections.items():
    keys = re.findall(r"^([a-z-]+) = ", section, re.M)
    assert keys == [o["name"] for o in options[name]], (name, keys)
PYTHON
}
