/* SPDX-License-Identifier: MPL-2.0
 * grove cluster: who keeps the ledger, and changes of that; snapshots. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/wire.h"
#include "nodes/host/clock.h"
#include "nodes/programs/cluster_view.h"
#include "nodes/programs/operator.h"
#include "nodes/programs/outcome.h"

#define HANDED_MS 10000u    /* until another must lead, after leadership was handed over */
#define LOOK_AGAIN_US 50000 /* until we ask again who leads */

static enum exit_code snapshot(const struct arguments *arguments)
{
    struct credential ours;
    char path[PATH_MAX];
    uint64_t index;
    enum exit_code code;

    if (!operator_credential(arguments, &ours, path, &code)) {
        return code;
    }
    code = operator_snapshot(&ours, path, &index);
    if (code == EXIT_DONE && argument_json(arguments)) {
        print_json(
            json_pack("{s:s, s:I}", "schema", "grove.snapshot/1", "index", (json_int_t)index));
    } else if (code == EXIT_DONE) {
        printf("%" PRIu64 "\n", index);
    }
    credential_clear(&ours);
    return code;
}

static enum exit_code change(const struct arguments *arguments, enum change_kind kind)
{
    const char *name = arguments->word_count > 1 ? arguments->word[1] : "";
    const struct change wanted = {.kind = kind, .name = bytes_of_text(name)};
    struct credential ours;
    char path[PATH_MAX];
    enum exit_code code;

    if (kind != CHANGE_TRANSFER && name[0] == '\0') {
        complain("cluster %s: the name of a coordinator is needed", arguments->word[0]);
        return EXIT_USAGE;
    }
    if (!operator_credential(arguments, &ours, path, &code)) {
        return code;
    }
    code = operator_change(&ours, path, &wanted);
    credential_clear(&ours);
    return code;
}

static enum exit_code add(const struct arguments *arguments)
{
    return change(arguments, CHANGE_ADD);
}

static enum exit_code take_away(const struct arguments *arguments)
{
    return change(arguments, CHANGE_REMOVE);
}

/* ... who leads; NULL: nobody. */
static enum exit_code say_not_handed(const char *leader)
{
    if (leader == NULL) {
        complain("leadership was given up, and nobody leads after %u s", HANDED_MS / 1000);
        return EXIT_NO_LEADER;
    }
    complain("leadership was not handed over in %u s: %s leads", HANDED_MS / 1000, leader);
    return EXIT_REFUSED;
}

/* Whoever was chosen may not take over in time, and then the old one leads on, or somebody else.
 *
 *   wanted   who is to lead; NULL: anyone but the one before
 *   before   "": nobody led */
static enum exit_code await_leader(const char *path, const char *wanted, const char *before,
                                   char *leader)
{
    const uint64_t until_ms = clock_monotonic_ms() + HANDED_MS;
    bool leads = cluster_leader(path, leader);

    while (!leads || (wanted ? strcmp(leader, wanted) != 0 : strcmp(leader, before) == 0)) {
        if (clock_monotonic_ms() >= until_ms) {
            return say_not_handed(leads ? leader : NULL);
        }
        usleep(LOOK_AGAIN_US);
        leads = cluster_leader(path, leader);
    }
    return EXIT_DONE;
}

static enum exit_code transfer(const struct arguments *arguments)
{
    const char *wanted = arguments->word_count > 1 ? arguments->word[1] : NULL;
    char before[LIMIT_NAME_LENGTH + 1] = "", leader[LIMIT_NAME_LENGTH + 1] = "";
    char path[PATH_MAX];
    enum exit_code code;

    if (!connect_choose(arguments, path, &code)) {
        return code;
    }
    (void)cluster_leader(path, before);
    code = change(arguments, CHANGE_TRANSFER);
    if (code == EXIT_DONE) {
        code = await_leader(path, wanted, before, leader);
    }
    if (code == EXIT_DONE && argument_json(arguments)) {
        print_json(json_pack("{s:s, s:s}", "schema", "grove.transfer/1", "leader", leader));
    } else if (code == EXIT_DONE) {
        printf("%s\n", leader);
    }
    return code;
}

static enum exit_code run(const struct arguments *arguments)
{
    if (arguments->word_count > 2) {
        complain("cluster: one coordinator at a time");
        return EXIT_USAGE;
    }
    return run_verb(&cluster_subcommand, arguments);
}

static const struct verb verbs[] = {
    {"status", "", NULL,
     "show each coordinator with its role, term, index, how far it lags, and its process id",
     cluster_status},
    {"add", "NAME", NULL,
     "give one that waits (grove coordinator --join) a vote, once it has caught up", add},
    {"remove", "NAME", NULL, "take its vote away", take_away},
    {"transfer", "[NAME]", NULL, "hand leadership over, and print the name of who leads then",
     transfer},
    {"snapshot", "", NULL,
     "have the leader write a snapshot of the forest, and print the ledger index that it covers",
     snapshot},
    VERB_END,
};

const struct subcommand cluster_subcommand = {
    .name = "cluster",
    .summary = "Show and change who keeps the ledger",
    .usage = "status | add NAME | remove NAME | transfer [NAME] | snapshot",
    .description = "Changes return when they are in force. NAME is that of the coordinator's "
                   "credential. All but status are\nfor operators.",
    .verbs = verbs,
    .run = run,
};
